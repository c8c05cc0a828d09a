/**
 * The metadata topic, read to its end: what an instance does before it joins its group, and a writer before it decides.
 *
 * 1. What is read is committed: records of aborted transactions, and of one that is still open, are not there.
 * 2. Reading ends where the topic ended when it began, whatever stands there: gaps, tombstones, control records, nothing.
 */
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { type MetadataSaid, type MetadataSnapshot, MetadataTable } from './metadata-table.ts'

/** What is published now. Rejects as a scan does: TOPIC_MISSING, AUTHORISATION, or a retriable error in an outage. */
export async function readMetadata(
  port: Pick<KafkaPort, 'scan'>,
  topic: string,
  signal?: AbortSignal,
): Promise<MetadataSnapshot> {
  const table = new MetadataTable()
  await readOn(port, topic, table, 'end', () => {}, signal)
  return table.snapshot()
}

/**
 * Moves a table on, up to `end` as it is now or to an offset, which is waited for; tells what it reads. Rejects CLOSED when the
 * signal comes before that.
 */
export async function readOn(
  port: Pick<KafkaPort, 'scan'>,
  topic: string,
  table: MetadataTable,
  to: number | 'end',
  tell: (said: MetadataSaid) => void,
  signal?: AbortSignal,
): Promise<void> {
  const range = { topic, partition: 0, from: table.nextOffset, to }
  for await (const block of port.scan([range], signal ? { signal } : {})) {
    for (const said of table.apply(block)) tell(said)
    if (signal?.aborted) break
  }
  // A scan that its caller ends may end as if all had been read.
  if (signal?.aborted) throw new RunInferenceError('CLOSED', `reading ${topic} was ended by its caller`)
}
