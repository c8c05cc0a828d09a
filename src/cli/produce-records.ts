/**
 * Sends records in chunks and knows of each one what became of it: a record is counted as acknowledged only after the
 * broker said so, and a batch that the broker refuses is halved until the refused record is found.
 */
import { murmur2Partition } from '../kafka/murmur2.ts'
import type { KafkaWriter } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'

const MAX_BATCH_BYTES = 900_000

/** A record, encoded, with the number of the line that it came from. */
export interface LineRecord {
  readonly line: number
  readonly key: Buffer | null
  readonly value: Buffer
}

export interface Refusal {
  readonly line: number
  readonly reason: string
}

export interface Sent {
  readonly acknowledged: number
  readonly refused: readonly Refusal[]
}

interface Batch {
  readonly sealed: SealedBatch
  readonly records: readonly LineRecord[]
}

/** Writes records to the partitions that any Kafka client would choose; resolves when all are decided. */
export async function sendRecords(
  records: readonly LineRecord[],
  topic: { readonly name: string; readonly partitions: number },
  writer: KafkaWriter,
): Promise<Sent> {
  const byPartition = new Map<number, LineRecord[]>()
  for (const record of records) {
    // Without a key any partition will do; the line number spreads them evenly.
    const { key, line } = record
    const partition = key === null ? line % topic.partitions : murmur2Partition(key, 0, key.length, topic.partitions)
    const list = byPartition.get(partition)
    if (list === undefined) byPartition.set(partition, [record])
    else list.push(record)
  }
  let batches = [...byPartition].flatMap(([partition, list]) => build(topic.name, partition, list))
  const refused: Refusal[] = []
  while (batches.length > 0) {
    const results = await writer.send(batches.map(({ sealed }) => sealed))
    const halves: Batch[] = []
    for (const [i, { sealed, records: sent }] of batches.entries()) {
      const result = results[i]!
      if (result.outcome === 'acknowledged') continue
      if (sent.length === 1) {
        refused.push({ line: sent[0]!.line, reason: result.reason })
        continue
      }
      const middle = sent.length >>> 1
      for (const half of [sent.slice(0, middle), sent.slice(middle)])
        halves.push(...build(topic.name, sealed.partition, half))
    }
    batches = halves
  }
  return { acknowledged: records.length - refused.length, refused }
}

function build(topic: string, partition: number, records: readonly LineRecord[]): Batch[] {
  const builder = new RecordBatchBuilder(topic, partition, MAX_BATCH_BYTES)
  const batches: Batch[] = []
  let first = 0
  const ranges = { ...emptyRecord(), timestamp: Date.now() }
  for (const [i, { key, value }] of records.entries()) {
    ranges.key = key
    ranges.keyEnd = key?.length ?? 0
    ranges.value = value
    ranges.valueEnd = value.length
    if (builder.append(ranges)) continue
    batches.push({ sealed: builder.seal(), records: records.slice(first, i) })
    first = i
    builder.append(ranges)
  }
  if (builder.count > 0) batches.push({ sealed: builder.seal(), records: records.slice(first) })
  return batches
}
