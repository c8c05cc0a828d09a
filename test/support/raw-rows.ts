/** Rows for topologies/raw-tensors.ts on a real broker, and what became of them. */
import type { KafkaPort } from '../../src/kafka/port.ts'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'

/** 64 float32, as the digit models take them. */
const ROW_BYTES = 256

export interface Rows {
  readonly partitions: number
  readonly records: number
  /** Changes what is zeros, for the record of this number in its partition. */
  readonly fill?: (row: Float32Array, partition: number, index: number) => void
}

/** Writes records, of zeros unless told otherwise, evenly over the first partitions. */
export async function writeRows(port: KafkaPort, topic: string, { partitions, records, fill }: Rows): Promise<void> {
  const writer = port.writer()
  const row = new Float32Array(ROW_BYTES / 4)
  const value = Buffer.from(row.buffer)
  const record = {
    ...{ timestamp: Date.now(), key: null, keyStart: 0, keyEnd: 0, value, valueStart: 0, valueEnd: ROW_BYTES },
    ...{ headers: null, headersStart: 0, headersEnd: 0, headerCount: 0 },
    ...{ ownHeaders: null, ownHeadersStart: 0, ownHeadersEnd: 0, ownHeaderCount: 0 },
  }
  for (let partition = 0; partition < partitions; partition++) {
    const builder = new RecordBatchBuilder(topic, partition, 900_000)
    for (let i = 0; i < records / partitions; i++) {
      row.fill(0)
      fill?.(row, partition, i)
      if (builder.append(record)) continue
      await writer.send([builder.seal()])
      builder.append(record)
    }
    await writer.send([builder.seal()])
  }
  await writer.close()
}

/** What the topics hold, judged by `kri-source` alone; offsets of the input that hold no record count as missing. */
export async function judgeRows(
  port: KafkaPort,
  topics: { readonly in: string; readonly out: string; readonly failed?: string },
) {
  const ends = await port.admin.offsets(topics.in)
  const counts = ends.map(({ end }) => new Uint8Array(end))
  const last = new Map<number, number>()
  let restarts = 0
  const ranges = ends.map((_, partition) => ({
    ...{ topic: topics.out, partition, from: 'earliest' as const, to: 'end' as const },
  }))
  for await (const block of port.scan(ranges)) {
    for (let i = 0; i < block.count; i++) {
      const [, source] = block.headers(i).find(([header]) => header === 'kri-source')!
      const [, partition, offset] = source!.toString().split('/').map(Number)
      counts[partition!]![offset!]!++
      if (offset! <= (last.get(partition!) ?? -1)) restarts++
      last.set(partition!, offset!)
    }
  }
  const all = counts.flatMap(partition => [...partition])
  const letters = await port.admin.offsets(topics.failed ?? 'raw-tensors.infer.failed-inference')
  const failed = letters.reduce((sum, { end }) => sum + end, 0)
  return {
    missing: all.filter(count => count === 0).length,
    duplicates: all.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
    restarts,
    failed,
  }
}
