import { RunInferenceError } from '../errors.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { type Clock, sleep } from '../ops/clock.ts'

/** What can be made to fail or to take time. */
export type FaultPoint = 'fetch' | 'produce' | 'commit' | 'heartbeat' | 'join' | 'admin'
/** Why a broker refuses a batch for ever. */
export type RefusalCode = 'MESSAGE_TOO_LARGE' | 'INVALID_RECORD' | 'INVALID_TIMESTAMP'

/** A client of the broker in memory tries again after this time, or as soon as the broker is up. */
const RETRY_MS = 100

/** The faults of one broker; each client passes here before each request. */
export class MemoryFaults {
  readonly #clock: Clock
  readonly #failures = new Map<FaultPoint, RunInferenceError[]>()
  readonly #delays = new Map<FaultPoint, number>()
  readonly #refusals: { readonly concerns: (batch: SealedBatch) => boolean; readonly code: RefusalCode }[] = []
  #isUp = true
  #lostResponses = 0
  #backUp: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isUp(): boolean {
    return this.#isUp
  }

  down(): void {
    this.#isUp = false
  }

  up(): void {
    this.#isUp = true
    const waiting = this.#backUp
    this.#backUp = []
    for (const resolve of waiting) resolve()
  }

  failNext(point: FaultPoint, error: RunInferenceError, times: number): void {
    const queue = this.#failures.get(point) ?? []
    for (let i = 0; i < times; i++) queue.push(error)
    this.#failures.set(point, queue)
  }

  delay(point: FaultPoint, ms: number): void {
    this.#delays.set(point, ms)
  }

  refuse(concerns: (batch: SealedBatch) => boolean, code: RefusalCode): () => void {
    const refusal = { concerns, code }
    this.#refusals.push(refusal)
    return () => void this.#refusals.splice(this.#refusals.indexOf(refusal), 1)
  }

  refusalOf(batch: SealedBatch): RefusalCode | undefined {
    return this.#refusals.find(({ concerns }) => concerns(batch))?.code
  }

  loseResponses(times: number): void {
    this.#lostResponses += times
  }

  /** True when the answer to a batch that was written is to be lost. */
  takeLostResponse(): boolean {
    if (this.#lostResponses === 0) return false
    this.#lostResponses--
    return true
  }

  /** The way of one request to the broker. Rejects as a client sees it: BROKER_UNAVAILABLE, or what `failNext` said. */
  async pass(point: FaultPoint): Promise<void> {
    const delayMs = this.#delays.get(point) ?? 0
    if (delayMs > 0) await sleep(this.#clock, delayMs)
    if (!this.#isUp) throw new RunInferenceError('BROKER_UNAVAILABLE', 'The broker in memory is down')
    const failure = this.#failures.get(point)?.shift()
    if (failure !== undefined) throw failure
  }

  /** Waits before a request is tried again. */
  backOff(signal?: AbortSignal): Promise<void> {
    const over = new AbortController()
    const waits = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
    if (!this.#isUp) this.#backUp.push(() => over.abort())
    return sleep(this.#clock, RETRY_MS, waits)
  }
}
