import { murmur2Partition } from '../kafka/murmur2.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import type { ReplayedRecord } from './replay-record.ts'

const MAX_BATCH_BYTES = 900_000

export interface OutputTopic {
  readonly partitions: number
  readonly maxMessageBytes: number
}

/** Batches of what is written again, at most one open for each partition. */
export class ReplayOutputs {
  readonly #topics: ReadonlyMap<string, OutputTopic>
  /** By topic and partition. */
  readonly #builders = new Map<string, (RecordBatchBuilder | undefined)[]>()
  /** Rounds of batches with one for a partition at most, in order. */
  #rounds: Map<string, SealedBatch>[] = []
  readonly #record = emptyRecord()
  #bytes = 0

  constructor(topics: ReadonlyMap<string, OutputTopic>) {
    this.#topics = topics
  }

  /** Of keys, values and headers that were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** As it is in its block, headers included. */
  addRow(topic: string, partition: number | undefined, block: RecordBlock, row: number, timestamp: number): void {
    const { bytes } = block
    const record = this.#record
    record.timestamp = timestamp
    record.keyStart = block.keyStart(row)
    record.keyEnd = block.keyEnd(row)
    record.key = record.keyStart < 0 ? null : bytes
    record.valueStart = block.valueStart(row)
    record.valueEnd = block.valueEnd(row)
    record.value = record.valueStart < 0 ? null : bytes
    record.headers = bytes
    record.headersStart = block.headersStart(row)
    record.headersEnd = block.headersEnd(row)
    record.headerCount = block.headerCount(row)
    this.#append(topic, partition)
  }

  add(topic: string, partition: number | undefined, { timestamp, key, value, headers }: ReplayedRecord): void {
    const wire = encodeHeaders(headers)
    Object.assign(this.#record, {
      ...{ timestamp, key, keyStart: 0, keyEnd: key?.length ?? 0 },
      ...{ value, valueStart: 0, valueEnd: value?.length ?? 0 },
      ...{ headers: wire, headersStart: 0, headersEnd: wire.length, headerCount: headers.length },
    })
    this.#append(topic, partition)
  }

  /** Everything that was added, and forgets it. */
  take(): readonly (readonly SealedBatch[])[] {
    for (const builders of this.#builders.values())
      for (const builder of builders) if (builder !== undefined && builder.count > 0) this.#seal(builder)
    const rounds = this.#rounds.map(round => [...round.values()])
    this.#rounds = []
    this.#bytes = 0
    return rounds
  }

  #append(topic: string, wanted: number | undefined): void {
    const record = this.#record
    const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = record
    this.#bytes += keyEnd - keyStart + valueEnd - valueStart + headersEnd - headersStart
    const builder = this.#builderOf(topic, wanted)
    if (builder.append(record)) return
    this.#seal(builder)
    builder.append(record)
  }

  #builderOf(topic: string, wanted: number | undefined): RecordBatchBuilder {
    const { partitions, maxMessageBytes } = this.#topics.get(topic)!
    let builders = this.#builders.get(topic)
    if (builders === undefined) {
      builders = []
      this.#builders.set(topic, builders)
    }
    const partition = wanted !== undefined && wanted < partitions ? wanted : this.#partitionByKey(partitions)
    let builder = builders[partition]
    if (builder === undefined) {
      builder = new RecordBatchBuilder(topic, partition, Math.min(MAX_BATCH_BYTES, maxMessageBytes))
      builders[partition] = builder
    }
    return builder
  }

  /** A record without a key goes wherever there is something open. */
  #partitionByKey(partitions: number): number {
    const { key, keyStart, keyEnd } = this.#record
    return key === null ? 0 : murmur2Partition(key, keyStart, keyEnd, partitions)
  }

  #seal(builder: RecordBatchBuilder): void {
    const id = `${builder.topic}/${builder.partition}`
    const batch = builder.seal()
    const round = this.#rounds.find(each => !each.has(id))
    if (round) round.set(id, batch)
    else this.#rounds.push(new Map([[id, batch]]))
  }
}
