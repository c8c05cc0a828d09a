/**
 * The idempotent writer on the broker in memory. Batches of one partition go one after the other; a retry sends the
 * identical bytes; a refused batch uses up no sequence. What is dropped, and may have been written, takes the producer id of
 * its partition along.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaWriter, SendResult, WritePermit } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { stampProducer } from '../kafka/record-batch-stamp.ts'
import { partitionKey } from './memory-assignment.ts'
import type { MemoryLink } from './memory-link.ts'
import { isSenderError } from './memory-log.ts'
import type { MemoryState } from './memory-state.ts'

const SEQUENCES = 2 ** 31

export class MemoryWriter implements KafkaWriter {
  readonly #state: MemoryState
  readonly #link: MemoryLink
  readonly #producerId: number
  /** Of partitions whose first one was given up. */
  readonly #laterIds = new Map<string, number>()
  readonly #sequences = new Map<string, number>()
  /** The last send of each partition; the next one waits for it. */
  readonly #tails = new Map<string, Promise<unknown>>()
  readonly #closed = new AbortController()

  constructor(state: MemoryState, link: MemoryLink) {
    this.#state = state
    this.#link = link
    this.#producerId = state.producerId()
  }

  async send(batches: readonly SealedBatch[], permit?: WritePermit): Promise<readonly SendResult[]> {
    this.#refuseWhenClosed()
    return Promise.all(
      batches.map(batch => {
        const key = partitionKey(batch.topic, batch.partition)
        const sent = (this.#tails.get(key) ?? Promise.resolve()).then(() => this.#sendOne(key, batch, permit))
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

  async #sendOne(key: string, batch: SealedBatch, permit: WritePermit = () => 'write'): Promise<SendResult> {
    const sequence = this.#sequences.get(key) ?? 0
    stampProducer(batch.bytes, this.#laterIds.get(key) ?? this.#producerId, 0, sequence)
    let tried = false
    for (;;) {
      this.#refuseWhenClosed()
      const wish = permit()
      if (wish === 'drop') {
        if (tried) this.#giveUpIdentity(key)
        return { outcome: 'dropped', reason: 'what it was made from is no longer ours' }
      }
      tried ||= wish === 'write'
      try {
        const result = wish === 'write' ? await this.#sendOnce(key, batch, sequence) : undefined
        if (result !== undefined) return result
      } catch (error) {
        if (!isRetriable(error)) throw error
      }
      await this.#link.backOff(this.#closed.signal)
    }
  }

  async #sendOnce(key: string, batch: SealedBatch, sequence: number): Promise<SendResult | undefined> {
    await this.#link.pass('produce')
    return this.#write(key, batch, sequence)
  }

  #giveUpIdentity(key: string): void {
    this.#laterIds.set(key, this.#state.producerId())
    this.#sequences.delete(key)
  }

  /** Undefined: the answer was lost. */
  #write(key: string, batch: SealedBatch, sequence: number): SendResult | undefined {
    const { faults, clock } = this.#state
    const log = this.#state.log(batch.topic, batch.partition)
    const code = faults.refusalOf(batch)
    if (code !== undefined) return { outcome: 'refused', reason: code }
    const appended = log.append(batch.bytes, this.#state.topic(batch.topic).configs, clock.wallTime())
    if (!appended.stored) {
      if (!isSenderError(appended.error)) return { outcome: 'refused', reason: appended.error }
      throw new RunInferenceError('BUG', `${key}: the writer sent sequence ${sequence}: ${appended.error}`)
    }
    this.#state.appended()
    if (faults.takeLostResponse('produce')) return undefined
    this.#sequences.set(key, (sequence + batch.count) % SEQUENCES)
    return { outcome: 'acknowledged', baseOffset: appended.baseOffset }
  }

  #refuseWhenClosed(): void {
    if (this.#closed.signal.aborted) throw new RunInferenceError('CLOSED', 'The writer was closed')
  }
}
