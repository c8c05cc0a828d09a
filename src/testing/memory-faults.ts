import { RunInferenceError } from '../errors.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { RefusalCode } from './memory-log.ts'

/** Requests whose answers can be lost although they were done. */
export type LosablePoint = 'produce' | TransactionPoint
type TransactionPoint = 'fence' | 'transactionSend' | 'sendOffsets' | 'endTransaction'
/** What can be made to fail or to take time. */
export type FaultPoint = 'fetch' | 'produce' | 'commit' | 'heartbeat' | 'join' | 'admin' | TransactionPoint
/** `markers` is the time from a decided transaction to its being seen. */
export type SlowPoint = FaultPoint | 'markers'

/** A client of the broker in memory tries again after this time, or as soon as the broker is up. */
const RETRY_MS = 100

/** The faults of one broker; each client passes here before each request. */
export class MemoryFaults {
  readonly #clock: Clock
  readonly #failures = new Map<FaultPoint, RunInferenceError[]>()
  readonly #delays = new Map<SlowPoint, number>()
  readonly #refusals: { readonly concerns: (batch: SealedBatch) => boolean; readonly code: RefusalCode }[] = []
  #isUp = true
  readonly #lostResponses = new Map<LosablePoint, number>()
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

  delay(point: SlowPoint, ms: number): void {
    this.#delays.set(point, ms)
  }

  mend(): void {
    this.#failures.clear()
    this.#delays.clear()
    this.#lostResponses.clear()
  }

  refuse(concerns: (batch: SealedBatch) => boolean, code: RefusalCode): () => void {
    const refusal = { concerns, code }
    this.#refusals.push(refusal)
    return () => void this.#refusals.splice(this.#refusals.indexOf(refusal), 1)
  }

  refusalOf(batch: SealedBatch): RefusalCode | undefined {
    return this.#refusals.find(({ concerns }) => concerns(batch))?.code
  }

  loseResponses(point: LosablePoint, times: number): void {
    this.#lostResponses.set(point, (this.#lostResponses.get(point) ?? 0) + times)
  }

  /** True when the answer to a request that was done is to be lost. */
  takeLostResponse(point: LosablePoint): boolean {
    const left = this.#lostResponses.get(point) ?? 0
    if (left === 0) return false
    this.#lostResponses.set(point, left - 1)
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

  /** What brokers do among themselves: takes its time, and waits while there is no broker. */
  async passMarkers(): Promise<void> {
    const delayMs = this.#delays.get('markers') ?? 0
    if (delayMs > 0) await sleep(this.#clock, delayMs)
    await this.whenUp()
  }

  async whenUp(): Promise<void> {
    while (!this.#isUp) await new Promise<void>(resolve => void this.#backUp.push(resolve))
  }

  /** Waits before a request is tried again. */
  backOff(signal?: AbortSignal): Promise<void> {
    const over = new AbortController()
    const waits = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
    if (!this.#isUp) this.#backUp.push(() => over.abort())
    return sleep(this.#clock, RETRY_MS, waits)
  }
}
