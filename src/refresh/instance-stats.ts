/**
 * What an instance did lately, as numbers that add up over instances: counts, and buckets of histograms, of which quantiles of the
 * whole can be made. They are taken from its metrics for a status record that is written anyway.
 */
import type { Clock } from '../ops/clock.ts'
import { type Bucket, type MetricReadings, metricReadings } from '../ops/metric-readings.ts'
import type { Prometheus } from '../ops/prometheus.ts'

/** Of times in seconds, by their upper bounds. */
export interface LatencyBuckets {
  /** What a batch waits for its dispatch. */
  readonly wait: readonly Bucket[]
  /** And then for its lane. */
  readonly queue: readonly Bucket[]
  readonly compute: readonly Bucket[]
  /** From the fetch of the oldest record of a commit unit to its acknowledgement. */
  readonly total: readonly Bucket[]
}

export interface BatchCounts {
  readonly rows: number
  /** Batches, by why they were closed. */
  readonly closed: Readonly<Record<string, number>>
  /** By rows. */
  readonly sizes: readonly Bucket[]
}

export interface InstanceStats {
  /** How long all of it is about. */
  readonly seconds: number
  readonly records: { readonly in: number; readonly out: number; readonly failed: number }
  readonly latency: LatencyBuckets
  readonly batches: BatchCounts
}

const RECORDS = ['kri_records_in_total', 'kri_records_done_total', 'kri_dead_letters_total'] as const
const BATCHES = ['kri_rows_dispatched_total', 'kri_batches_total', 'batch_size']
const TIMES = ['kri_batch_wait_seconds', 'kri_batch_queue_seconds', 'kri_batch_compute_seconds', 'kri_unit_seconds']
/** What `latencyBuckets`, `batchCounts` and `instanceStats` read. */
export const STATS_METRICS: readonly string[] = [...RECORDS, ...BATCHES, ...TIMES]

/** Records are written every 30 s, and when something changes: the one before is in here, of many only some are read. */
const OVER_MS = 45_000
const MIN_AGE_MS = 10_000

export function latencyBuckets(readings: MetricReadings, overMs: number): LatencyBuckets {
  const [wait, queue, compute, total] = TIMES.map(name => readings.buckets(name, overMs))
  return { wait: wait!, queue: queue!, compute: compute!, total: total! }
}

export function batchCounts(readings: MetricReadings, overMs: number): BatchCounts {
  const closed = [...readings.growth('kri_batches_total', overMs, 'reason')].filter(([, count]) => count > 0)
  return {
    rows: sumOf(readings.growth('kri_rows_dispatched_total', overMs)),
    closed: Object.fromEntries(closed),
    sizes: readings.buckets('batch_size', overMs),
  }
}

/** Undefined before the second reading. */
export function instanceStats(readings: MetricReadings, overMs: number): InstanceStats | undefined {
  const seconds = readings.seconds(overMs)
  if (seconds === undefined) return undefined
  const [read, done, failed] = RECORDS.map(name => sumOf(readings.growth(name, overMs)))
  return {
    seconds,
    records: { in: read!, out: done!, failed: failed! },
    latency: latencyBuckets(readings, overMs),
    batches: batchCounts(readings, overMs),
  }
}

/** Of the time since it was last called, or a little more; a few seconds later it says the same again. Undefined: not known yet. */
export function statsReader(metrics: Pick<Prometheus, 'read'>, clock: Clock): () => Promise<InstanceStats | undefined> {
  const readings = metricReadings(metrics, clock, STATS_METRICS, OVER_MS)
  let readAt = Number.NEGATIVE_INFINITY
  let stats: InstanceStats | undefined
  return async () => {
    if (clock.now() - readAt < MIN_AGE_MS) return stats
    readAt = clock.now()
    await readings.read()
    stats = instanceStats(readings, OVER_MS)
    return stats
  }
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, each) => sum + each, 0)
}
