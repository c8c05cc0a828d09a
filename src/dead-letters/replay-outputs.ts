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
  readonly #builders = new Map<string, RecordBatchBuilder>()
  /** Rounds of batches with one for a partition at most, in order. */
  #rounds: Map<string, SealedBatch>[] = []
  readonly #record = emptyRecord()

  constructor(topics: ReadonlyMap<string, OutputTopic>) {
    this.#topics = topics
  }

  /** As it is in its block, headers included. */
  addRow(topic: string, partition: number | undefined, block: RecordBlock, row: number, timestamp: number): void {
    const { bytes } = block
    Object.assign(this.#record, {
      timestamp,
      ...{ key: block.keyStart(row) < 0 ? null : bytes, keyStart: block.keyStart(row), keyEnd: block.keyEnd(row) },
      value: block.valueStart(row) < 0 ? null : bytes,
      ...{ valueStart: block.valueStart(row), valueEnd: block.valueEnd(row) },
      ...{ headers: bytes, headersStart: block.headersStart(row), headersEnd: block.headersEnd(row) },
      headerCount: block.headerCount(row),
    })
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
    for (const builder of this.#builders.values()) if (builder.count > 0) this.#seal(builder)
    const rounds = this.#rounds.map(round => [...round.values()])
    this.#rounds = []
    return rounds
  }

  #append(topic: string, wanted: number | undefined): void {
    const { partitions, maxMessageBytes } = this.#topics.get(topic)!
    const { key, keyStart, keyEnd } = this.#record
    // A record without a key goes wherever there is something open.
    const byKey = () => (key === null ? 0 : murmur2Partition(key, keyStart, keyEnd, partitions))
    const partition = wanted !== undefined && wanted < partitions ? wanted : byKey()
    const id = `${topic}/${partition}`
    let builder = this.#builders.get(id)
    if (!builder) {
      builder = new RecordBatchBuilder(topic, partition, Math.min(MAX_BATCH_BYTES, maxMessageBytes))
      this.#builders.set(id, builder)
    }
    if (builder.append(this.#record)) return
    this.#seal(builder)
    builder.append(this.#record)
  }

  #seal(builder: RecordBatchBuilder): void {
    const id = `${builder.topic}/${builder.partition}`
    const batch = builder.seal()
    const round = this.#rounds.find(each => !each.has(id))
    if (round) round.set(id, batch)
    else this.#rounds.push(new Map([[id, batch]]))
  }
}
