/** The writers of transactions of the partitions that this member owns, or is about to: one a partition, by its name. */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaPort, TopicPartition, TransactionalWriter } from '../kafka/port.ts'

export interface TransactionalWritersOptions {
  readonly port: Pick<KafkaPort, 'transactionalWriter'>
  readonly applicationId: string
  /** A transaction that is open for longer is aborted by the broker; milliseconds. */
  readonly timeoutMs: number
}

/** Under which name the transactions of an input partition are known to the brokers; whoever fenced it last has the partition. */
export function transactionalId(
  applicationId: string,
  { topic, partition }: { readonly topic: string; readonly partition: number | string },
): string {
  return `${applicationId}-${topic}-${partition}`
}

export class TransactionalWriters {
  readonly #options: TransactionalWritersOptions
  readonly #writers = new Map<string, TransactionalWriter>()
  #closed = false

  constructor(options: TransactionalWritersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#writers.size
  }

  /**
   * Takes the partitions over: when it has resolved, nobody else can commit for them. All in parallel; rejects when one of them
   * fails, and then all have to be fenced once more.
   */
  async fence(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#closed) throw new RunInferenceError('CLOSED', 'the pipeline was closed')
    // None is left under way: the next attempt fences the same writers.
    const fences = await Promise.allSettled(partitions.map(partition => this.#take(partition).fence()))
    const reasons = fences.flatMap(fence => (fence.status === 'rejected' ? [fence.reason as unknown] : []))
    if (reasons.length > 0) throw reasons.find(reason => !isRetriable(reason)) ?? reasons[0]
  }

  of(partition: TopicPartition): TransactionalWriter {
    const id = this.#idOf(partition)
    const writer = this.#writers.get(id)
    if (writer) return writer
    throw new RunInferenceError('BUG', `a transaction of ${id} begins, which was never fenced`)
  }

  /** The partition is gone: what its writer left open is ended by whoever fences the name next. */
  drop(partition: TopicPartition): void {
    const id = this.#idOf(partition)
    const writer = this.#writers.get(id)
    this.#writers.delete(id)
    // Nothing of it matters to us any more, not even whether it closed in order.
    writer?.close().catch(() => {})
  }

  async close(): Promise<void> {
    this.#closed = true
    const writers = [...this.#writers.values()]
    this.#writers.clear()
    await Promise.all(writers.map(writer => writer.close()))
  }

  #take(partition: TopicPartition): TransactionalWriter {
    const { port, timeoutMs } = this.#options
    const id = this.#idOf(partition)
    const known = this.#writers.get(id)
    if (known) return known
    const made = port.transactionalWriter({ transactionalId: id, timeoutMs })
    this.#writers.set(id, made)
    return made
  }

  #idOf(partition: TopicPartition): string {
    return transactionalId(this.#options.applicationId, partition)
  }
}
