/**
 * Writes what an instance says of itself to the status topic: when something changes, every REPORT_PERIOD_MS, and a tombstone at the end.
 *
 * R1. Nobody waits for it: `changed` returns at once, and what cannot be written never ends nor delays the pipeline.
 * R2. One record is written at a time. Changes meanwhile are one record more, with what holds then.
 * R3. What fails is tried again with the next period, and told once until it works again.
 * R4. What the instance did lately is read for a record that is written anyway. When it cannot be read, the record goes without.
 * R5. `close` gives the tombstone CLOSE_BUDGET_MS. Without it the record stays, and no longer counts once the member is gone.
 */

import type { KafkaWriter } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { encodeStatus, type InstanceStatus } from './status-record.ts'

export const REPORT_PERIOD_MS = 30_000
const CLOSE_BUDGET_MS = 1_000
const MAX_BYTES = 1024 * 1024

export interface StatusReporterParts {
  readonly topic: string
  /** Of its own: it is closed with the reporter. */
  readonly writer: Pick<KafkaWriter, 'send' | 'close'>
  readonly clock: Clock
  readonly logger: Logger
  readonly instance: string
  /** What holds now. */
  readonly status: () => Omit<InstanceStatus, 'instance' | 'writtenAt' | 'stats'>
  /** What it did lately; undefined: nobody counts. */
  readonly stats?: () => Promise<InstanceStatus['stats']>
}

export class StatusReporter {
  readonly #parts: StatusReporterParts
  #isWriting = false
  #hasChanged = false
  #isClosed = false
  #isFailing = false
  #hasNoStats = false
  #written: Promise<void> = Promise.resolve()
  #cancelTimer = () => {}

  constructor(parts: StatusReporterParts) {
    this.#parts = parts
  }

  /** Something else holds than was written last. */
  changed(): void {
    this.#hasChanged = true
    if (!this.#isWriting && !this.#isClosed) this.#written = this.#write()
  }

  /** Writes the tombstone and closes the writer. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelTimer()
    const { clock, writer } = this.#parts
    const goodbye = this.#written.then(() => this.#send(null))
    await Promise.race([goodbye, sleep(clock, CLOSE_BUDGET_MS)])
    // What has not been written by now fails with its writer.
    await writer.close().catch(error => this.#failed(error))
  }

  async #write(): Promise<void> {
    const { clock, instance, status } = this.#parts
    this.#isWriting = true
    this.#cancelTimer()
    // What else changes in this turn is told with it.
    await Promise.resolve()
    while (this.#hasChanged && !this.#isClosed) {
      this.#hasChanged = false
      const stats = this.#parts.stats && (await this.#stats(this.#parts.stats))
      const writtenAt = new Date(clock.wallTime()).toISOString()
      await this.#send(encodeStatus({ instance, ...status(), writtenAt, ...(stats && { stats }) }))
    }
    this.#isWriting = false
    if (!this.#isClosed) this.#cancelTimer = clock.after(REPORT_PERIOD_MS, () => this.changed())
  }

  async #stats(read: () => Promise<InstanceStatus['stats']>): Promise<InstanceStatus['stats']> {
    try {
      const stats = await read()
      this.#hasNoStats = false
      return stats
    } catch (error) {
      if (!this.#hasNoStats)
        this.#parts.logger.warn(
          { reason: error instanceof Error ? error.message : String(error) },
          'metrics cannot be read: kri console sees no latency of this instance until they can',
        )
      this.#hasNoStats = true
      return undefined
    }
  }

  async #send(value: Buffer | null): Promise<void> {
    const { clock, instance, topic, writer } = this.#parts
    try {
      const key = Buffer.from(instance)
      const builder = new RecordBatchBuilder(topic, 0, MAX_BYTES)
      const record = { ...emptyRecord(), timestamp: clock.wallTime(), key, keyEnd: key.length }
      builder.append(value === null ? record : { ...record, value, valueEnd: value.length })
      const [result] = await writer.send([builder.seal()])
      if (result!.outcome !== 'acknowledged') return this.#failed(result!.reason)
      this.#isFailing = false
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (this.#isFailing || this.#isClosed) return
    this.#isFailing = true
    const facts = { topic: this.#parts.topic, reason: error instanceof Error ? error.message : String(error) }
    this.#parts.logger.warn(
      facts,
      'kri models status does not see this instance: its status cannot be written, and is tried again',
    )
  }
}
