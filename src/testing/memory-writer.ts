/**
 * The idempotent writer on the broker in memory. Batches of one partition go one after the other; a retry sends the
 * identical bytes; a refused batch uses up no sequence.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaWriter, SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { stampProducer } from '../kafka/record-batch-stamp.ts'
import { partitionKey } from './memory-assignment.ts'
import type { MemoryState } from './memory-state.ts'

const SEQUENCES = 2 ** 31

export class MemoryWriter implements KafkaWriter {
  readonly #state: MemoryState
  readonly #producerId: number
  readonly #sequences = new Map<string, number>()
  /** The last send of each partition; the next one waits for it. */
  readonly #tails = new Map<string, Promise<unknown>>()
  readonly #closed = new AbortController()

  constructor(state: MemoryState) {
    this.#state = state
    this.#producerId = state.producerId()
  }

  async send(batches: readonly SealedBatch[]): Promise<readonly SendResult[]> {
    this.#refuseWhenClosed()
    return Promise.all(
      batches.map(batch => {
        const key = partitionKey(batch.topic, batch.partition)
        const sent = (this.#tails.get(key) ?? Promise.resolve()).then(() => this.#sendOne(key, batch))
        // What comes behind a batch that failed for good is decided on its own.
        this.#tails.set(
          key,
          sent.catch(() => {}),
        )
        return sent
      }),
    )
  }

  async topic(name: string): Promise<{ readonly partitions: number; readonly maxMessageBytes: number }> {
    const { partitions, configs } = this.#state.topic(name)
    return { partitions: partitions.length, maxMessageBytes: Number(configs['max.message.bytes']) }
  }

  async close(): Promise<void> {
    this.#closed.abort()
  }

  async #sendOne(key: string, batch: SealedBatch): Promise<SendResult> {
    const sequence = this.#sequences.get(key) ?? 0
    stampProducer(batch.bytes, this.#producerId, 0, sequence)
    for (;;) {
      this.#refuseWhenClosed()
      try {
        await this.#state.faults.pass('produce')
        const result = this.#write(key, batch, sequence)
        if (result !== undefined) return result
      } catch (error) {
        if (!isRetriable(error)) throw error
      }
      await this.#state.faults.backOff(this.#closed.signal)
    }
  }

  /** Undefined: the answer was lost. */
  #write(key: string, batch: SealedBatch, sequence: number): SendResult | undefined {
    const { faults, clock } = this.#state
    const log = this.#state.log(batch.topic, batch.partition)
    const code = faults.refusalOf(batch)
    if (code !== undefined) return { outcome: 'refused', reason: code }
    const appended = log.append(batch.bytes, this.#state.topic(batch.topic).configs, clock.wallTime())
    if (!appended.stored) {
      if (appended.error !== 'OUT_OF_ORDER_SEQUENCE_NUMBER') return { outcome: 'refused', reason: appended.error }
      throw new RunInferenceError('BUG', `${key}: the writer sent sequence ${sequence} out of order`)
    }
    this.#state.appended()
    if (faults.takeLostResponse()) return undefined
    this.#sequences.set(key, (sequence + batch.count) % SEQUENCES)
    return { outcome: 'acknowledged', baseOffset: appended.baseOffset }
  }

  #refuseWhenClosed(): void {
    if (this.#closed.signal.aborted) throw new RunInferenceError('CLOSED', 'The writer was closed')
  }
}
