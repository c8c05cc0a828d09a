/**
 * The functions of a step in a worker thread, which is replaced when it ends or is stuck. Callers see results, and errors of
 * single elements.
 *
 * W1. Every job ends once: with its result, its own error, FUNCTION_TIMEOUT, or FUNCTION_LOST after it ended two workers alone.
 * W2. A call that does not return within `timeoutMs` is ended with its worker; what else was in it is done again by the next one.
 * W3. At most a few chunks are in the worker; the rest waits here, bounded by admission (I5).
 * W4. Terminating is allowed: the worker runs no native code of ours.
 */
import { Worker } from 'node:worker_threads'
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { type Entry, EntryQueue, type FunctionJob, type FunctionLane, requestOf, settle } from './function-lane.ts'
import { createMarks, type MarkedCall, readMarks } from './function-marks.ts'
import type { FromFunctionWorker, FunctionPlace, FunctionReply, FunctionWorkerData } from './function-messages.ts'
import { LaneLosses } from './lane-losses.ts'
import { reviveError } from './lane-messages.ts'
import { besideThis } from './lane-thread.ts'
import { MarksWatch } from './marks-watch.ts'
import { type FunctionSide, functionTimeout } from './user-function.ts'

/** One chunk at work and one behind it. */
const MIN_IN_FLIGHT = 512
const CHECKS_PER_TIMEOUT = 10
const MAX_CHECK_MS = 500
/** A worker that takes longer to import the topology is as good as lost. */
const OPEN_MS = 30_000
/** An element is to blame when it has ended so many workers alone. */
const ENOUGH_LOSSES = 2
const WARN_INTERVAL_MS = 60_000

export interface FunctionWorkerOptions {
  readonly place: FunctionPlace
  /** One synchronous stretch of a function may take so long. */
  readonly timeoutMs: number
  /** Calls of asynchronous functions that may be under way together. */
  readonly concurrency: number
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** The worker cannot be started for now: it is tried again. It has started again. */
  readonly onOutage: (error: RunInferenceError) => void
  readonly onRecovered: () => void
}

/** Starts the worker. Rejects (TOPOLOGY_INVALID) when it cannot find the functions. */
export async function openFunctionWorker(options: FunctionWorkerOptions): Promise<FunctionLane> {
  const supervisor = new Supervisor(options)
  try {
    await supervisor.opened
  } catch (error) {
    await supervisor.close()
    throw error
  }
  return supervisor
}

class Supervisor implements FunctionLane {
  readonly opened: Promise<void>
  readonly #options: FunctionWorkerOptions
  readonly #checkMs: number
  readonly #losses: LaneLosses
  readonly #queue = new EntryQueue()
  /** Those that may have ended a worker: each goes through the next one alone. */
  readonly #suspects: Entry[] = []
  #suspect: Entry | undefined
  #inFlight = new Map<number, readonly Entry[]>()
  #inFlightCount = 0
  #chunk = 0
  #worker: Worker | undefined
  #marks = createMarks()
  #isOpen = false
  #isClosed = false
  #hasOutage = false
  readonly #firstOpen = Promise.withResolvers<void>()
  #refusal: RunInferenceError | undefined
  #cancelStart: (() => void) | undefined
  readonly #watch: MarksWatch
  /** The count of the marks when the worker was ended for standing still. */
  #expiredAt: number | undefined
  #warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: FunctionWorkerOptions) {
    this.#options = options
    this.#checkMs = Math.min(MAX_CHECK_MS, options.timeoutMs / CHECKS_PER_TIMEOUT)
    this.#watch = new MarksWatch(options.clock, this.#checkMs, count => {
      this.#expiredAt = count
      void this.#worker?.terminate()
    })
    this.#losses = new LaneLosses(options.clock, options.random)
    this.opened = this.#firstOpen.promise
    this.#start()
  }

  push(side: FunctionSide, job: FunctionJob): void {
    if (this.#isClosed) return
    // What comes in one turn goes out together.
    if (this.#queue.isEmpty) queueMicrotask(() => this.#pump())
    this.#queue.add({ side, job, losses: 0 })
  }

  dropLost(): void {
    this.#queue.dropLost()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#isOpen = false
    this.#cancelStart?.()
    this.#watch.stop()
    this.#queue.clear()
    await this.#worker?.terminate()
  }

  #start(): void {
    if (this.#isClosed) return
    const { place } = this.#options
    this.#marks = createMarks()
    this.#expiredAt = undefined
    this.#refusal = undefined
    const data: FunctionWorkerData = { place, marks: this.#marks, beatMs: this.#checkMs / 2 }
    const worker = new Worker(besideThis('function-worker'), {
      name: `kri functions of ${place.step}`,
      workerData: data,
    })
    let cause: unknown
    worker.on('message', (message: FromFunctionWorker) => this.#receive(message))
    // 'exit' follows, and tells.
    worker.on('error', error => {
      cause = error
    })
    worker.on('exit', code => {
      this.#lost(`its worker ended with exit code ${code}${cause instanceof Error ? `: ${cause.message}` : ''}`)
    })
    this.#worker = worker
    this.#watch.start(this.#marks, OPEN_MS)
  }

  #receive(message: FromFunctionWorker): void {
    if (this.#isClosed) return
    switch (message.type) {
      case 'opened':
        this.#isOpen = true
        this.#watch.stop()
        this.#firstOpen.resolve()
        if (this.#hasOutage) this.#options.onRecovered()
        this.#hasOutage = false
        this.#pump()
        return
      case 'refused':
        this.#refusal = reviveError(message.error)
        void this.#worker?.terminate()
        return
      case 'warning':
        this.#warn(message.text)
        return
      case 'ran':
        this.#ran(message)
    }
  }

  #ran(reply: FunctionReply): void {
    const entries = this.#inFlight.get(reply.chunk)
    // It was answered, and then its worker was ended for another chunk: done again by now.
    if (!entries) return
    this.#inFlight.delete(reply.chunk)
    this.#inFlightCount -= entries.length
    this.#suspect = undefined
    this.#losses.forget()
    if (this.#inFlight.size === 0) this.#watch.stop()
    settle(entries, reply)
    this.#pump()
  }

  #pump(): void {
    const window = MIN_IN_FLIGHT + this.#options.concurrency
    while (this.#isOpen && !this.#suspect) {
      if (this.#suspects.length > 0) {
        if (this.#inFlight.size > 0) return
        this.#suspect = this.#suspects.shift()!
        if (!this.#send([this.#suspect])) this.#suspect = undefined
        continue
      }
      if (this.#queue.isEmpty || this.#inFlightCount >= window) return
      this.#send(this.#queue.take())
    }
  }

  /** False when nothing was sent. */
  #send(given: readonly Entry[]): boolean {
    const wanted = given.filter(({ job }) => !job.isLost)
    const sent = wanted.length > 0 ? requestOf(++this.#chunk, wanted) : undefined
    if (!sent) return false
    if (this.#inFlight.size === 0) this.#watch.start(this.#marks, this.#options.timeoutMs)
    this.#inFlight.set(sent.request.chunk, sent.entries)
    this.#inFlightCount += sent.entries.length
    this.#worker!.postMessage(sent.request, [sent.request.elements.buffer])
    return true
  }

  #lost(how: string): void {
    const wasOpen = this.#isOpen
    const sent = this.#inFlight
    this.#worker = undefined
    this.#watch.stop()
    this.#isOpen = false
    this.#suspect = undefined
    this.#inFlight = new Map()
    this.#inFlightCount = 0
    if (this.#isClosed) return
    if (!wasOpen) {
      this.#cannotOpen(how)
      return
    }
    const { logger, place } = this.#options
    logger.warn({ step: place.step, how, elements: [...sent.values()].flat().length }, 'worker of functions replaced')
    if (sent.size > 0) {
      this.#judge(sent, how)
      this.#start()
    } else {
      this.#losses.add()
      this.#startLater()
    }
  }

  /** Who is to blame for the loss, if it can be told; all others are done again (W1, W2). */
  #judge(sent: ReadonlyMap<number, readonly Entry[]>, how: string): void {
    const all = [...sent.values()].flat()
    const { count, call } = readMarks(this.#marks)
    const guilty = (call && sent.get(call.chunk)?.[call.position]) ?? (all.length === 1 ? all[0] : undefined)
    const hasExpired = this.#expiredAt !== undefined
    if (hasExpired && this.#expiredAt !== count) {
      // It returned while it was being ended: nobody is to blame.
      this.#queue.putBack(all)
    } else if (!guilty) this.#suspects.push(...all)
    else {
      this.#queue.putBack(all.filter(entry => entry !== guilty))
      const index = call?.index ?? -1
      const where = whereOf(guilty.side, call)
      if (hasExpired) guilty.job.failed(index, functionTimeout(where, 'return', this.#options.timeoutMs))
      else if (all.length === 1 && ++guilty.losses >= ENOUGH_LOSSES) {
        const text = `${where} ended its worker, alone and more than once: ${how}`
        guilty.job.failed(index, new RunInferenceError('FUNCTION_LOST', text))
      } else this.#suspects.push(guilty)
    }
  }

  #cannotOpen(how: string): void {
    const { place, onOutage } = this.#options
    const error =
      this.#refusal ??
      new RunInferenceError('LANE_LOST', `the functions of step "${place.step}" have no worker: ${how}`)
    this.#firstOpen.reject(error)
    this.#losses.add()
    this.#hasOutage = true
    onOutage(error)
    this.#startLater()
  }

  #startLater(): void {
    this.#cancelStart = this.#options.clock.after(this.#losses.restMs(), () => this.#start())
  }

  #warn(text: string): void {
    const { clock, logger, place } = this.#options
    if (clock.now() - this.#warnedAtMs < WARN_INTERVAL_MS) return
    this.#warnedAtMs = clock.now()
    logger.warn({ step: place.step, reason: text }, 'in the worker of functions (told once a minute)')
  }
}

function whereOf(side: FunctionSide, call: MarkedCall | undefined): string {
  return call ? `${side} function ${call.index}` : `an asynchronous ${side} function`
}
