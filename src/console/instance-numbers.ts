/** The numbers of a snapshot, from the metrics of an instance. */
import { deadLetterTopic, type FailedStage } from '../kafka/topic-names.ts'
import type { ConsoleSnapshot, PartitionView, Quantiles } from './console-api.ts'
import type { DrawnGraph } from './graph-view.ts'
import type { MetricReadings } from './metric-readings.ts'
import type { PartitionEnds } from './topic-ends.ts'

/** Commits and batches come in bursts: rates are those of so long. */
const RATE_MS = 3_000
const LATENCY_MS = 10_000
const SIZES_MS = 60_000

export const INSTANCE_METRICS = [
  'kri_records_in_total',
  'kri_records_done_total',
  'kri_dead_letters_total',
  'kri_rows_dispatched_total',
  'num_inferences',
  'kri_batches_total',
  'kri_batch_wait_seconds',
  'kri_batch_queue_seconds',
  'kri_batch_compute_seconds',
  'kri_unit_seconds',
  'batch_size',
  'kri_committed_offset',
  'kri_lag_records',
  'kri_lag_seconds',
]

export interface InstanceFacts {
  /** Where reading stands, by `topic/partition`. */
  readonly positions: Readonly<Record<string, number>>
  /** By topic, as far as they are known. */
  readonly ends: ReadonlyMap<string, PartitionEnds>
  readonly instance: string
  /** Of dead-letter topics. */
  readonly topology: string
}

export function instanceNumbers(
  readings: MetricReadings,
  graph: DrawnGraph,
  facts: InstanceFacts,
): Pick<ConsoleSnapshot, 'throughput' | 'lag' | 'latency' | 'batches' | 'rates' | 'partitions'> {
  const sum = (name: string, label?: string) =>
    [...readings.rates(name, RATE_MS, label).values()].reduce((all, each) => all + each, 0)
  const partitions = partitionViews(readings, facts)
  const seconds = readings.now('kri_lag_seconds').map(({ value }) => value)
  const latency = latencyOf(readings)
  return {
    throughput: {
      inPerSecond: sum('kri_records_in_total'),
      outPerSecond: sum('kri_records_done_total'),
      failedPerSecond: sum('kri_dead_letters_total'),
    },
    lag: {
      records: partitions.reduce((all, { lag }) => all + lag, 0),
      ...(seconds.length > 0 && { seconds: Math.max(...seconds) }),
    },
    ...(latency && { latency }),
    ...batchesOf(readings),
    rates: graph.rates({
      read: readings.rates('kri_records_in_total', RATE_MS, 'topic'),
      written: letterRates(readings, facts.topology),
      stepIn: readings.rates('kri_rows_dispatched_total', RATE_MS, 'step'),
      stepOut: readings.rates('num_inferences', RATE_MS, 'step'),
    }),
    partitions,
  }
}

/** `queue`: what a batch waits for its dispatch, and then for its lane. */
function latencyOf(readings: MetricReadings): ConsoleSnapshot['latency'] {
  const ms = (name: string): Quantiles | undefined => {
    const quantiles = readings.quantiles(name, LATENCY_MS)
    return quantiles && { p50: quantiles.p50 * 1_000, p99: quantiles.p99 * 1_000 }
  }
  const [wait, queue] = [ms('kri_batch_wait_seconds'), ms('kri_batch_queue_seconds')]
  const [compute, total] = [ms('kri_batch_compute_seconds'), ms('kri_unit_seconds')]
  if (!wait || !queue || !compute || !total) return undefined
  return { queue: { p50: wait.p50 + queue.p50, p99: wait.p99 + queue.p99 }, compute, total }
}

function batchesOf(readings: MetricReadings): Pick<ConsoleSnapshot, 'batches'> {
  const closed = readings.rates('kri_batches_total', RATE_MS, 'reason')
  const perSecond = [...closed.values()].reduce((sum, each) => sum + each, 0)
  const sizes = readings.buckets('batch_size', SIZES_MS).filter(({ upTo }) => Number.isFinite(upTo))
  if (perSecond === 0 && sizes.every(({ count }) => count === 0)) return {}
  const rows = [...readings.rates('kri_rows_dispatched_total', RATE_MS).values()].reduce((sum, each) => sum + each, 0)
  return {
    batches: {
      meanRows: perSecond === 0 ? 0 : rows / perSecond,
      perSecond,
      closed: Object.fromEntries([...closed].filter(([, rate]) => rate > 0)),
      sizes,
    },
  }
}

function letterRates(readings: MetricReadings, topology: string): ReadonlyMap<string, number> {
  const rates = new Map<string, number>()
  for (const { labels } of readings.now('kri_dead_letters_total')) {
    const step = String(labels.step ?? '')
    const topic = deadLetterTopic(topology, step === '' ? undefined : step, labels.stage as FailedStage)
    rates.set(topic, (rates.get(topic) ?? 0) + readings.rateOf('kri_dead_letters_total', labels, RATE_MS))
  }
  return rates
}

function partitionViews(readings: MetricReadings, facts: InstanceFacts): readonly PartitionView[] {
  const of = (name: string) =>
    new Map(readings.now(name).map(({ labels, value }) => [`${labels.topic}/${labels.partition}`, value]))
  const [committed, lags] = [of('kri_committed_offset'), of('kri_lag_records')]
  return Object.entries(facts.positions).map(([place, position]) => {
    const at = place.lastIndexOf('/')
    const [topic, partition] = [place.slice(0, at), Number(place.slice(at + 1))]
    const next = committed.get(place) ?? position
    const end = Math.max(next, facts.ends.get(topic)?.[partition]?.end ?? next + (lags.get(place) ?? 0))
    return { topic, partition, owner: facts.instance, committed: next, end, lag: end - next }
  })
}
