import { murmur2Partition } from '../kafka/murmur2.ts'
import { RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'

/** A batch never gets larger than this, whatever the topic takes: smaller requests keep latency even. */
const MAX_BATCH_BYTES = 900_000
/** What the broker counts beside the records of a batch, and room for one more header. */
const BATCH_RESERVE_BYTES = 1024

/** The open batches of one topic, by partition. Everything that writes the topic shares them, or its order would be lost (I2). */
export type OpenBatches = (RecordBatchBuilder | undefined)[]

/** One output topic as the outbox sees it: its partitions and one open batch for each. */
export class OutputTarget {
  readonly topic: string
  readonly partitions: number
  maxBatchBytes: number
  /** The largest record that the topic takes; larger than a batch that is cut for latency. */
  readonly maxRecordBytes: number
  /** True: the source's partition number; false: murmur2 of the record key. */
  readonly bySource: boolean
  readonly #builders: OpenBatches

  constructor(
    topic: string,
    described: { readonly partitions: number; readonly maxMessageBytes: number },
    bySource: boolean,
    openBatches: OpenBatches = [],
  ) {
    this.topic = topic
    this.partitions = described.partitions
    this.maxRecordBytes = described.maxMessageBytes - BATCH_RESERVE_BYTES
    this.maxBatchBytes = Math.min(MAX_BATCH_BYTES, this.maxRecordBytes)
    this.bySource = bySource
    this.#builders = openBatches
  }

  /** Where the output of this row goes. Records without a key follow their source partition, so that order is kept. */
  partitionOf(block: RecordBlock, row: number): number {
    // A source that was given more partitions since the start has numbers that this topic may not have.
    if (this.bySource && block.partition < this.partitions) return block.partition
    const start = block.keyStart(row)
    if (start < 0) return block.partition % this.partitions
    return this.partitionOfKey(block.bytes, start, block.keyEnd(row))
  }

  /** Where a record with a key of its own goes. */
  partitionOfKey(bytes: Buffer, start: number, end: number): number {
    return murmur2Partition(bytes, start, end, this.partitions)
  }

  /** Batches get no larger than this, but for a single record, from now on, or until the returned function is called. */
  limitBatches(bytes: number): () => void {
    const before = this.maxBatchBytes
    this.#setMaxBytes(Math.min(before, bytes))
    return () => this.#setMaxBytes(before)
  }

  #setMaxBytes(bytes: number): void {
    this.maxBatchBytes = bytes
    for (const builder of this.#builders) if (builder) builder.maxBytes = bytes
  }

  builder(partition: number): RecordBatchBuilder {
    const known = this.#builders[partition]
    if (known) return known
    const made = new RecordBatchBuilder(this.topic, partition, this.maxBatchBytes)
    this.#builders[partition] = made
    return made
  }
}
