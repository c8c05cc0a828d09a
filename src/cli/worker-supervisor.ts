/**
 * Keeps so many worker processes running.
 *
 * W1. A worker that ends is started again after a pause, which grows; one that cannot work, or ends again and again, ends
 *     all, with its reason.
 * W2. A stop asks every worker to drain, and kills by id those that outlast their time. Nothing is started any more.
 * W3. Under `--until-end` a worker that ends in order is done; all of them are the end.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { RunSummary } from '../ops/run-tally.ts'
import type { WorkerMessage } from './worker-channel.ts'
import type { WorkerProcess } from './worker-process.ts'
import { createRestarts, describeEnd, type WorkerEnd } from './worker-restarts.ts'

export interface SupervisorOptions {
  readonly workers: number
  readonly untilEnd: boolean
  readonly start: (index: number, onMessage: (message: WorkerMessage) => void) => WorkerProcess
  /** How long a worker may take to drain and end. */
  readonly stopBudgetMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Signals that ask for an end, where nobody listens for them. */
const ASKING: ReadonlySet<NodeJS.Signals | null> = new Set(['SIGTERM', 'SIGINT', 'SIGHUP'])

/** One of the workers, as it is now. */
export interface WorkerView {
  readonly index: number
  readonly running: boolean
  /** Where its health and metrics are; undefined until it says so. */
  readonly url: string | undefined
  readonly restarts: number
  /** It came to the end of the input and is not needed any more. */
  readonly done: boolean
}

interface Slot {
  readonly index: number
  readonly decide: (end: WorkerEnd) => ReturnType<ReturnType<typeof createRestarts>>
  process: WorkerProcess | undefined
  url: string | undefined
  failure: WorkerEnd['failure']
  wasReady: boolean
  restarts: number
  done: boolean
  cancelRestart: () => void
}

export class WorkerSupervisor {
  readonly #options: SupervisorOptions
  readonly #slots: readonly Slot[]
  readonly #summaries: RunSummary[] = []
  readonly #finished = Promise.withResolvers<void>()
  #stopping = false
  #failure: RunInferenceError | undefined
  #cancelKill = () => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.workers }, (_, index) => ({
      index,
      decide: createRestarts(),
      ...{ process: undefined, url: undefined, failure: undefined },
      ...{ wasReady: false, restarts: 0, done: false, cancelRestart: () => {} },
    }))
    for (const slot of this.#slots) this.#start(slot)
  }

  /** Resolves after `stop`, or when all are done; rejects with the reason when it was given up, or a stop was not in order. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /** True when every worker came to the end of the input. */
  get reachedEnd(): boolean {
    return this.#slots.every(({ done }) => done)
  }

  /** Of all workers that ended in order. */
  get summaries(): readonly RunSummary[] {
    return this.#summaries
  }

  get workers(): readonly WorkerView[] {
    return this.#slots.map(({ index, process, url, restarts, done }) => ({
      ...{ index, running: process !== undefined, url, restarts, done },
    }))
  }

  stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true
      for (const slot of this.#slots) slot.cancelRestart()
      this.kill('SIGTERM')
      const { clock, stopBudgetMs, logger } = this.#options
      this.#cancelKill = clock.after(stopBudgetMs, () => {
        logger.error({ stopBudgetMs }, 'workers did not end in their time: they are killed')
        this.kill('SIGKILL')
      })
      this.#noticeEnd()
    }
    return this.finished
  }

  /** Sends a signal to all that run. */
  kill(signal: NodeJS.Signals): void {
    for (const { process } of this.#slots) process?.kill(signal)
  }

  #start(slot: Slot): void {
    const { start, clock, logger } = this.#options
    const startedAt = clock.now()
    slot.url = undefined
    slot.failure = undefined
    slot.wasReady = false
    slot.process = start(slot.index, message => this.#heard(slot, message))
    logger.info({ worker: slot.index, pid: slot.process.pid }, 'worker started')
    slot.process.ended.then(
      ({ code, signal }) => this.#ended(slot, { code, signal, livedMs: clock.now() - startedAt }),
      (error: unknown) =>
        this.#giveUp(slot, RunInferenceError.from(error, 'CRASH_LOOP', 'it cannot be started').message),
    )
  }

  #heard(slot: Slot, message: WorkerMessage): void {
    if (message.kind === 'listening') slot.url = message.url
    else if (message.kind === 'ready') slot.wasReady = true
    else if (message.kind === 'failed') slot.failure = message
    else {
      this.#summaries.push(message.summary)
      slot.done = message.reachedEnd
    }
  }

  #ended(slot: Slot, end: Pick<WorkerEnd, 'code' | 'signal' | 'livedMs'>): void {
    const { logger, clock, untilEnd } = this.#options
    slot.process = undefined
    slot.url = undefined
    const { failure, wasReady, index: worker } = slot
    const whole: WorkerEnd = { ...end, wasReady, ...(failure && { failure }) }
    const reason = describeEnd(whole)
    if (this.#stopping) {
      // Before it could listen, it ends by the signal itself: ours, or one that a terminal sends to all of a group.
      if (end.code !== 0 && !ASKING.has(end.signal)) this.#fail(slot, `did not end in order: ${reason}`)
      this.#noticeEnd()
      return
    }
    if (untilEnd && end.code === 0 && slot.done) {
      logger.info({ worker }, 'worker done')
      this.#noticeEnd()
      return
    }
    // It may have said so, and crashed after that.
    slot.done = false
    const next = slot.decide(whole)
    if ('giveUp' in next) this.#giveUp(slot, next.giveUp)
    else {
      logger.error({ worker, reason, restartMs: next.delayMs }, 'a worker ended by itself; it is started again')
      slot.restarts++
      slot.cancelRestart = clock.after(next.delayMs, () => this.#start(slot))
    }
  }

  #giveUp(slot: Slot, reason: string): void {
    slot.process = undefined
    this.#options.logger.error({ worker: slot.index, reason }, 'a worker cannot be kept running: all end')
    this.#fail(slot, reason)
    this.stop().catch(() => {}) // Told by `finished`.
    // A stop that goes on already does not look again.
    this.#noticeEnd()
  }

  #fail(slot: Slot, reason: string): void {
    this.#failure ??= new RunInferenceError('CRASH_LOOP', `worker ${slot.index}: ${reason}`)
  }

  #noticeEnd(): void {
    const over = this.#stopping || this.reachedEnd
    if (!over || this.#slots.some(({ process }) => process !== undefined)) return
    this.#cancelKill()
    if (this.#failure === undefined) this.#finished.resolve()
    else this.#finished.reject(this.#failure)
  }
}
