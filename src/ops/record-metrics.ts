/** What is told of records on their way: from the fetch to the commit. */
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { LABEL } from './metric-labels.ts'
import { type Prometheus, SECONDS } from './prometheus.ts'

export type RecordMetrics = Pick<
  PipelineMetrics,
  | 'blockReceived'
  | 'childrenMade'
  | 'deadLetters'
  | 'dropped'
  | 'timestampsClamped'
  | 'unitAcknowledged'
  | 'committed'
  | 'inFlight'
  | 'lag'
  | 'lost'
  | 'forgetPartition'
>

export function createRecordMetrics({ counter, gauge, histogram }: Prometheus): RecordMetrics {
  const recordsIn = counter('kri_records_in_total', 'Records that were fetched.', LABEL.topic)
  const bytesIn = counter('kri_bytes_in_total', 'Memory of the blocks that were fetched.', LABEL.topic)
  const recordsDone = counter('kri_records_done_total', 'Records whose outputs are all acknowledged.', LABEL.topic)
  const unitTime = histogram(
    'kri_unit_seconds',
    'Time from the fetch of the oldest record of a commit unit to its acknowledgement.',
    SECONDS,
    LABEL.topic,
  )
  const children = counter(
    'kri_children_total',
    'Elements that flatMap and withNoBatching made of records.',
    LABEL.topic,
  )
  const deadLetters = counter('kri_dead_letters_total', 'Dead letters.', LABEL.stage, LABEL.step, LABEL.code)
  const dropped = counter('kri_records_dropped_total', 'Records that ended as a counted drop.', LABEL.node)
  const lost = counter(
    'kri_records_lost_total',
    'Records in flight whose partition went to another member.',
    LABEL.topic,
  )
  const clamped = counter('kri_timestamps_clamped_total', 'Output timestamps that were too far ahead for the broker.')
  const inFlightRows = gauge('kri_in_flight_rows', 'Rows between fetch and acknowledgement.')
  const inFlightBytes = gauge('kri_in_flight_bytes', 'Bytes between fetch and acknowledgement.')
  const commits = counter('kri_commits_total', 'Offsets that were committed.', LABEL.topic)
  const committedOffset = gauge('kri_committed_offset', 'The next offset to read.', LABEL.topic, LABEL.partition)
  const lagRecords = gauge('kri_lag_records', 'Records behind the log end.', LABEL.topic, LABEL.partition)
  const lagSeconds = gauge('kri_lag_seconds', 'Age of the oldest unfinished record.', LABEL.topic, LABEL.partition)

  return {
    blockReceived(topic, records, bytes) {
      recordsIn.inc({ topic }, records)
      bytesIn.inc({ topic }, bytes)
    },
    childrenMade: (topic, count) => children.inc({ topic }, count),
    deadLetters: (stage, step, code, count) => deadLetters.inc({ stage, step, code }, count),
    dropped: (node, count) => dropped.inc({ node }, count),
    timestampsClamped: count => clamped.inc(count),
    unitAcknowledged(topic, records, oldestMs) {
      recordsDone.inc({ topic }, records)
      unitTime.observe({ topic }, oldestMs / 1_000)
    },
    committed(topic, partition, offset) {
      commits.inc({ topic })
      committedOffset.set({ topic, partition }, offset)
    },
    inFlight(rows, bytes) {
      inFlightRows.set(rows)
      inFlightBytes.set(bytes)
    },
    lag(topic, partition, records, seconds) {
      lagRecords.set({ topic, partition }, records)
      lagSeconds.set({ topic, partition }, seconds)
    },
    lost: (topic, records) => lost.inc({ topic }, records),
    forgetPartition(topic, partition) {
      for (const each of [committedOffset, lagRecords, lagSeconds]) each.remove({ topic, partition })
    },
  }
}
