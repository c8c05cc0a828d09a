import type { Clock } from '../ops/clock.ts'
import type { DeadLetterLog } from './dead-letter-log.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import type { Failure } from './stage.ts'
import type { CommitUnit } from './unit-builder.ts'

interface Listeners {
  readonly metrics: PipelineMetrics
  readonly deadLetterLog: DeadLetterLog
  readonly clock: Clock
}

/** Tells metrics and log of a unit that was acknowledged. */
export function tellOfUnit(unit: CommitUnit, listeners: Listeners): void {
  const { metrics, clock } = listeners
  const { flow, ranges, rows, clampedTimestamps } = unit
  tellOfFailures(unit, listeners)
  const oldest = ranges[0]?.work.arrivedAtMs ?? clock.now()
  metrics.unitAcknowledged(flow.topic, rows, clock.now() - oldest)
  tellOfLag(flow, listeners)
  if (clampedTimestamps > 0) metrics.timestampsClamped(clampedTimestamps)
}

/** Records behind the end of the log, and the age of the oldest one that is not done. */
function tellOfLag(flow: PartitionFlow, { metrics, clock }: Listeners): void {
  const [oldest] = flow.blocks
  const records = Math.max(0, flow.endOffset - flow.committable)
  const stamp = oldest && oldest.emitted < oldest.block.count ? oldest.block.timestamp(oldest.emitted) : undefined
  const seconds = stamp === undefined ? 0 : Math.max(0, (clock.wallTime() - stamp) / 1000)
  metrics.lag(flow.topic, flow.partition, records, seconds)
}

function tellOfFailures({ flow, ranges, refused }: CommitUnit, listeners: Listeners): void {
  const source = `${flow.topic}/${flow.partition}`
  for (const failure of refused) tellOfFailure(failure, source, listeners)
  for (const { work, from, to } of ranges) {
    if (!work.hasFailures) continue
    for (let row = from; row < to; row++)
      for (const failure of work.failuresOf(row) ?? [])
        tellOfFailure(failure, `${source}/${work.block.offset(row)}`, listeners)
  }
}

function tellOfFailure(failure: Failure, source: string, { metrics, deadLetterLog }: Listeners): void {
  metrics.deadLetters(failure.point.stage, failure.point.step, failure.error.code, 1)
  deadLetterLog.note(failure, source)
}
