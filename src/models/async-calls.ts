/**
 * Calls of one asynchronous function: awaited, so many at a time, each only for so long.
 *
 * F1. At most `concurrency` calls are under way, whoever makes them.
 * F2. Every call ends exactly once: done, failed or expired. What settles after its time is ignored, and its place was free by then.
 * F3. What waits is never called once nobody wants it any more.
 */
import type { Clock } from '../ops/clock.ts'
import type { UserFunction } from './model-handler.ts'
import { isThenable } from './user-function.ts'
import { WaitingQueue } from './waiting-queue.ts'

/** One call, made by whoever wants its result. */
export interface AsyncCall {
  readonly value: unknown
  readonly timeoutMs: number
  /** Its partition was lost: it need not be made, and nothing of it is wanted. */
  readonly isLost: boolean
  /** The function is about to be called; it has returned, its promise or a result. */
  entering(): void
  left(): void
  done(result: unknown): void
  threw(error: unknown): void
  expired(): void
}

interface Running {
  readonly call: AsyncCall
  readonly deadlineMs: number
}

export interface AsyncCallsOptions {
  readonly fn: UserFunction
  readonly concurrency: number
  readonly clock: Clock
  /** An error that is none of the function's: a bug of ours. */
  readonly onFatal: (error: unknown) => void
}

export class AsyncCalls {
  readonly #options: AsyncCallsOptions
  readonly #running = new Set<Running>()
  readonly #waiting = new WaitingQueue<AsyncCall>()
  #isClosed = false
  #isStarting = false
  #isHalted = false
  #wakesAtMs = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined

  constructor(options: AsyncCallsOptions) {
    this.#options = options
  }

  push(call: AsyncCall): void {
    if (this.#isClosed) return
    this.#waiting.add(call)
    this.#start()
  }

  /** While set, calls wait; those under way end. */
  set halted(isHalted: boolean) {
    this.#isHalted = isHalted
    this.#start()
  }

  /** Forgets calls that wait and are not wanted any more (F3). */
  dropLost(): void {
    this.#waiting.keep(call => !call.isLost)
  }

  /** Nothing is called any more, and what is under way is ignored. */
  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#waiting.clear()
    this.#running.clear()
  }

  #start(): void {
    // A result that is there at once leads back here: a loop instead of a stack that grows.
    if (this.#isStarting) return
    this.#isStarting = true
    try {
      while (!this.#isHalted && this.#running.size < this.#options.concurrency) {
        const call = this.#waiting.take()
        if (!call) break
        if (!call.isLost) this.#call(call)
      }
    } finally {
      this.#isStarting = false
    }
  }

  #call(call: AsyncCall): void {
    const { fn, clock, onFatal } = this.#options
    let result: unknown
    let isPromise: boolean
    call.entering()
    try {
      result = (fn as (value: unknown) => unknown)(call.value)
      isPromise = isThenable(result)
    } catch (error) {
      call.left()
      call.threw(error)
      return
    }
    call.left()
    if (!isPromise) {
      call.done(result)
      return
    }
    const running = { call, deadlineMs: clock.now() + call.timeoutMs }
    this.#running.add(running)
    this.#wakeAt(running.deadlineMs)
    Promise.resolve(result)
      .then(
        value => this.#settled(running) && call.done(value),
        (error: unknown) => this.#settled(running) && call.threw(error),
      )
      .then(() => this.#start())
      .catch(onFatal)
  }

  /** False for one that comes too late. */
  #settled(running: Running): boolean {
    return this.#running.delete(running)
  }

  /** One timer for all calls, not one for each. */
  #wakeAt(deadlineMs: number): void {
    if (deadlineMs >= this.#wakesAtMs) return
    const { clock } = this.#options
    this.#cancelTimer?.()
    this.#wakesAtMs = deadlineMs
    this.#cancelTimer = clock.after(deadlineMs - clock.now(), () => this.#expire())
  }

  #expire(): void {
    const now = this.#options.clock.now()
    this.#wakesAtMs = Number.POSITIVE_INFINITY
    let earliest = Number.POSITIVE_INFINITY
    for (const running of [...this.#running]) {
      if (running.deadlineMs > now) earliest = Math.min(earliest, running.deadlineMs)
      else if (this.#settled(running)) running.call.expired()
    }
    if (earliest < Number.POSITIVE_INFINITY) this.#wakeAt(earliest)
    this.#start()
  }
}
