import type { KafkaPort, ScanRange } from '../src/kafka/port.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'

/** Everything that a topic holds, by partition and offset, read without the group. */
export async function readTopic(
  port: KafkaPort,
  topic: string,
  partitions: number,
  signal: AbortSignal,
  onRecords: (count: number) => void,
): Promise<readonly RecordBlock[]> {
  const ranges = Array.from(
    { length: partitions },
    (_, partition): ScanRange => ({ topic, partition, from: 'earliest', to: 'end' }),
  )
  const blocks: RecordBlock[] = []
  for await (const block of port.scan(ranges, { signal })) {
    blocks.push(block)
    onRecords(block.count)
  }
  signal.throwIfAborted()
  return blocks
}
