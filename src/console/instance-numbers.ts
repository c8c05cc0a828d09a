/** The numbers of a snapshot, from the metrics of an instance. */
import { deadLetterTopic, type FailedStage } from '../kafka/topic-names.ts'
import type { MetricReadings } from '../ops/metric-readings.ts'
import { batchCounts, latencyBuckets, STATS_METRICS } from '../refresh/instance-stats.ts'
import type { ConsoleSnapshot, PartitionView } from './console-api.ts'
import type { DrawnGraph } from './graph-view.ts'
import type { PartitionEnds } from './topic-ends.ts'
import { batchesView, latencyView } from './work-view.ts'

/** Commits and batches come in bursts: rates are those of so long. */
const RATE_MS = 3_000
const LATENCY_MS = 10_000
const SIZES_MS = 60_000

export const INSTANCE_METRICS = [...STATS_METRICS, 'num_inferences']
export const INSTANCE_GAUGES = ['kri_committed_offset', 'kri_lag_records', 'kri_lag_seconds']

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
  const isKnown = readings.seconds(RATE_MS) !== undefined
  const sum = (name: string) => [...readings.rates(name, RATE_MS).values()].reduce((all, each) => all + each, 0)
  const partitions = partitionViews(readings, facts)
  const seconds = readings.now('kri_lag_seconds').map(({ value }) => value)
  return {
    throughput: isKnown
      ? {
          inPerSecond: sum('kri_records_in_total'),
          outPerSecond: sum('kri_records_done_total'),
          failedPerSecond: sum('kri_dead_letters_total'),
        }
      : {},
    lag: {
      records: partitions.reduce((all, { lag }) => all + lag, 0),
      ...(seconds.length > 0 && { seconds: Math.max(...seconds) }),
    },
    ...workOf(readings),
    rates: graph.rates({
      read: readings.rates('kri_records_in_total', RATE_MS, 'topic'),
      written: letterRates(readings, facts.topology),
      stepIn: readings.rates('kri_rows_dispatched_total', RATE_MS, 'step'),
      stepOut: readings.rates('num_inferences', RATE_MS, 'step'),
    }),
    partitions,
  }
}

function workOf(readings: MetricReadings): Pick<ConsoleSnapshot, 'latency' | 'batches'> {
  const [lately, shortly] = [readings.seconds(LATENCY_MS), readings.seconds(RATE_MS)]
  if (lately === undefined || shortly === undefined) return {}
  const latency = latencyView([{ seconds: lately, latency: latencyBuckets(readings, LATENCY_MS) }])
  const work = { ...batchCounts(readings, RATE_MS), seconds: shortly }
  const batches = batchesView([work], [readings.buckets('batch_size', SIZES_MS)])
  return { ...(latency && { latency }), ...(batches && { batches }) }
}

function letterRates(readings: MetricReadings, topology: string): ReadonlyMap<string, number> {
  const rates = new Map<string, number>()
  for (const { labels } of readings.now('kri_dead_letters_total')) {
    const step = String(labels.step ?? '')
    const topic = deadLetterTopic(topology, step === '' ? undefined : step, labels.stage as FailedStage)
    const rate = readings.rateOf('kri_dead_letters_total', labels, RATE_MS)
    if (rate !== undefined) rates.set(topic, (rates.get(topic) ?? 0) + rate)
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
