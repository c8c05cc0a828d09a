/**
 * One circuit breaker per model: when too large a share of its batches meets an outage, calls are refused until the control
 * batch passes again. opossum keeps the rolling counts and decides when to open; the only importer of opossum.
 *
 * 1. opossum is told outcomes, not given actions: a call that ends is counted as a success or a failure, so no timeout of
 *    its own can drop a result, and nothing holds on to a batch.
 * 2. Successes and outages count. An error for which `counts` is false (a bad row) does not count at all, neither way:
 *    opossum's errorFilter would report it as a success, which closes a half-open breaker.
 * 3. Half-open means that `probe` is running, once; callers are refused meanwhile, so no user row is ever the probe.
 * 4. All time comes from the injected clock: opossum's window is rotated by us, and its reset timer is never reached.
 * 5. After closing the window is empty: failures from before the outage do not open the breaker again.
 */
import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'
import { isRetriable, RunInferenceError } from '../errors.ts'
import { type Clock, systemClock } from './clock.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Of the model, for messages. */
  readonly name: string
  readonly clock?: Clock
  /** Opens when more than this percentage of the window's calls failed; at least 0, below 100. Default 50. */
  readonly errorThresholdPercent?: number
  /** Calls that the window must hold before the breaker may open. Default 5. */
  readonly volumeThreshold?: number
  /** From opening, or from a failed probe, to the next probe. Default 5,000. */
  readonly resetAfterMs?: number
  /** Length of the rolling window. Default 10,000. */
  readonly windowMs?: number
  /** The control batch: resolves when the lane can do its work again. */
  readonly probe: () => Promise<void>
  /** Whether an error is an outage; default: the retriable codes. Bad rows are not. */
  readonly counts?: (error: unknown) => boolean
}

export interface Breaker {
  readonly name: string
  readonly state: BreakerState
  /** Runs the action unless the breaker is open; then rejects MODEL_OUTAGE, and the rows must stay queued. */
  run<T>(action: () => Promise<T>): Promise<T>
  /** Called after each change, with the error that caused it where there is one. */
  onChange(listener: (state: BreakerState, cause?: unknown) => void): void
  /** No timer and no probe after this; `run` rejects CLOSED. */
  shutdown(): void
}

const BUCKETS = 10
// The longest delay of setTimeout: opossum's own (unreferenced) reset timer, which we never let decide.
const NEVER_MS = 2 ** 31 - 1

export function createBreaker(options: BreakerOptions): Breaker {
  return new OutageBreaker(options)
}

class OutageBreaker implements Breaker {
  readonly name: string
  readonly #clock: Clock
  readonly #resetAfterMs: number
  readonly #bucketMs: number
  readonly #probe: () => Promise<void>
  readonly #counts: (error: unknown) => boolean
  readonly #rotation = new EventEmitter()
  readonly #circuit: CircuitBreaker<[unknown, boolean], void>
  readonly #listeners: ((state: BreakerState, cause?: unknown) => void)[] = []
  #state: BreakerState = 'closed'
  #rotatedAt: number
  #cancelProbe = () => {}
  #isShutdown = false

  constructor(options: BreakerOptions) {
    const { name, clock = systemClock, errorThresholdPercent = 50, volumeThreshold = 5, resetAfterMs = 5_000 } = options
    const { windowMs = 10_000, probe, counts = isRetriable } = options
    // opossum opens above the threshold, so at 100 it never would.
    if (!(errorThresholdPercent >= 0 && errorThresholdPercent < 100)) {
      throw new RunInferenceError(
        'SETTINGS_INVALID',
        `breaker of ${name}: errorThresholdPercent must be at least 0 and below 100, got ${errorThresholdPercent}`,
      )
    }
    this.name = name
    this.#clock = clock
    this.#resetAfterMs = resetAfterMs
    this.#bucketMs = windowMs / BUCKETS
    this.#probe = probe
    this.#counts = counts
    this.#rotatedAt = clock.now()
    this.#circuit = new CircuitBreaker(outcome, {
      name,
      timeout: false,
      errorThresholdPercentage: errorThresholdPercent,
      volumeThreshold,
      resetTimeout: NEVER_MS,
      rollingCountBuckets: BUCKETS,
      rotateBucketController: this.#rotation,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    } satisfies CircuitBreaker.Options)
  }

  get state(): BreakerState {
    return this.#state
  }

  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#isShutdown) throw new RunInferenceError('CLOSED', `the breaker of ${this.name} was shut down`)
    if (this.#state !== 'closed') throw this.#refusal()
    try {
      const result = await action()
      this.#count(undefined, false)
      return result
    } catch (error) {
      if (this.#counts(error)) this.#count(error, true)
      throw error
    }
  }

  onChange(listener: (state: BreakerState, cause?: unknown) => void): void {
    this.#listeners.push(listener)
  }

  shutdown(): void {
    this.#isShutdown = true
    this.#cancelProbe()
    this.#circuit.shutdown()
  }

  // A call that began before the breaker opened may end after; what it says is about the time before.
  #count(error: unknown, failed: boolean): void {
    if (this.#isShutdown || this.#state !== 'closed') return
    this.#rotate()
    // Rejects with the error that its caller gets anyway.
    this.#circuit.fire(error, failed).catch(() => {})
    if (this.#circuit.opened) this.#open(error)
  }

  #open(cause: unknown): void {
    this.#cancelProbe = this.#clock.after(this.#resetAfterMs, () => void this.#tryProbe())
    this.#change('open', cause)
  }

  async #tryProbe(): Promise<void> {
    this.#change('half-open')
    try {
      await this.#probe()
    } catch (error) {
      // Still an outage: open again, and the next probe after the same time.
      if (!this.#isShutdown) this.#open(error)
      return
    }
    if (this.#isShutdown) return
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#rotation.emit('rotate')
    this.#circuit.close()
    this.#change('closed')
  }

  // Rotated when a call is counted, by the time that has passed: an idle model needs no timer.
  #rotate(): void {
    const passed = Math.floor((this.#clock.now() - this.#rotatedAt) / this.#bucketMs)
    this.#rotatedAt += passed * this.#bucketMs
    for (let bucket = 0; bucket < Math.min(passed, BUCKETS); bucket++) this.#rotation.emit('rotate')
  }

  #change(state: BreakerState, cause?: unknown): void {
    this.#state = state
    for (const listener of this.#listeners) listener(state, cause)
  }

  #refusal(): RunInferenceError {
    return new RunInferenceError(
      'MODEL_OUTAGE',
      `the breaker of ${this.name} is ${this.#state}; its rows stay queued until the control batch passes, ` +
        `which is tried every ${this.#resetAfterMs} ms`,
    )
  }
}

// What opossum runs: the outcome of a call that has already ended. Thrown synchronously, so that it is counted at once.
function outcome(error: unknown, failed: boolean): Promise<void> {
  if (failed) throw error
  return succeeded
}
const succeeded = Promise.resolve()
