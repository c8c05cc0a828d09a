import { RunInferenceError } from '../errors.ts'
import type { KafkaWriter, SendResult, WritePermit } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Cluster } from './cluster.ts'
import { type ProduceContext, ProduceLoop } from './produce-loop.ts'
import { requireTopics } from './topic-check.ts'
import { describeTopicConfigs } from './topic-configs.ts'

/** What brokers and topics accept unless they are told otherwise. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

export interface WriterContext extends ProduceContext {
  readonly cluster: Cluster
}

/** An idempotent writer: the sending is in `produce-loop.ts`, here is what callers need to know of topics. */
export class Writer implements KafkaWriter {
  readonly #context: WriterContext
  readonly #loop: ProduceLoop
  readonly #maxMessageBytes = new Map<string, Promise<number>>()
  #closed = false

  constructor(context: WriterContext) {
    this.#context = context
    this.#loop = new ProduceLoop(context)
  }

  async send(batches: readonly SealedBatch[], permit?: WritePermit): Promise<readonly SendResult[]> {
    this.#assertOpen()
    const results = await this.#loop.send(batches, permit)
    for (const [i, result] of results.entries()) {
      // The limit that was known may be an old one: ask again.
      if (result.outcome === 'refused') this.#maxMessageBytes.delete(batches[i]!.topic)
    }
    return results
  }

  async topic(name: string): Promise<{ readonly partitions: number; readonly maxMessageBytes: number }> {
    this.#assertOpen()
    const { cluster } = this.#context
    const known = cluster.topic(name)
    if (known === undefined || known.errorCode !== 0) await requireTopics(this.#context, [name])
    let limit = this.#maxMessageBytes.get(name)
    if (limit === undefined) {
      limit = this.#readMaxMessageBytes(name)
      this.#maxMessageBytes.set(name, limit)
      limit.catch(() => this.#maxMessageBytes.delete(name)) // The caller sees the rejection; the next call asks again.
    }
    const maxMessageBytes = await limit
    return { partitions: cluster.topic(name)!.leaders.length, maxMessageBytes }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#loop.close()
    this.#context.cluster.closePurposes(`${this.#context.purpose}:`)
  }

  async #readMaxMessageBytes(name: string): Promise<number> {
    try {
      const configs = await describeTopicConfigs(this.#context.cluster, [name])
      return Number(configs.get(name)?.['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES)
    } catch (error) {
      if (!(error instanceof RunInferenceError) || error.code !== 'AUTHORISATION') throw error
      this.#context.logger.warn(
        { topic: name, assumed: DEFAULT_MAX_MESSAGE_BYTES },
        'not allowed to read the settings of this topic (DescribeConfigs): its max.message.bytes is taken for the default',
      )
      return DEFAULT_MAX_MESSAGE_BYTES
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new RunInferenceError('CLOSED', 'The writer was closed.')
  }
}
