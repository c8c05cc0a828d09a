/** The field `stats` of a status record. It takes less than 4 KB: what instances do is written there, not what they have seen. */
import type { Bucket } from '../ops/metric-readings.ts'
import type { InstanceStats } from './instance-stats.ts'
import type { StatusFields } from './status-fields.ts'

/** Counts by upper bounds, as Prometheus writes them: `+Inf` is above all. */
type BucketRecord = Readonly<Record<string, number>>

export interface StatsRecord extends Pick<InstanceStats, 'seconds' | 'records'> {
  readonly latency: Readonly<Record<keyof InstanceStats['latency'], BucketRecord>>
  readonly batches: Omit<InstanceStats['batches'], 'sizes'> & { readonly sizes: BucketRecord }
}

const MAX_ENTRIES = 64

export function statsRecord({ seconds, records, latency, batches }: InstanceStats): StatsRecord {
  const { wait, queue, compute, total } = latency
  return {
    seconds: Math.max(0.001, Math.round(seconds * 1_000) / 1_000),
    records,
    latency: { wait: written(wait), queue: written(queue), compute: written(compute), total: written(total) },
    batches: { ...batches, sizes: written(batches.sizes) },
  }
}

/** Throws METADATA_INVALID with the first field that is wrong. */
export function parseStats(of: StatusFields, at: string, value: unknown): InstanceStats {
  const given = of.record(at, value)
  const records = of.record(`${at}.records`, given.records)
  const latency = of.record(`${at}.latency`, given.latency)
  const batches = of.record(`${at}.batches`, given.batches)
  const count = (name: 'in' | 'out' | 'failed') => of.whole(`${at}.records.${name}`, records[name], 0)
  const times = (name: keyof InstanceStats['latency']) => buckets(of, `${at}.latency.${name}`, latency[name])
  return {
    seconds: of.positive(`${at}.seconds`, given.seconds),
    records: { in: count('in'), out: count('out'), failed: count('failed') },
    latency: { wait: times('wait'), queue: times('queue'), compute: times('compute'), total: times('total') },
    batches: {
      rows: of.whole(`${at}.batches.rows`, batches.rows, 0),
      closed: counts(of, `${at}.batches.closed`, batches.closed),
      sizes: buckets(of, `${at}.batches.sizes`, batches.sizes),
    },
  }
}

function written(all: readonly Bucket[]): BucketRecord {
  return Object.fromEntries(all.map(({ upTo, count }) => [upTo === Number.POSITIVE_INFINITY ? '+Inf' : upTo, count]))
}

function buckets(of: StatusFields, at: string, value: unknown): readonly Bucket[] {
  return Object.entries(counts(of, at, value))
    .map(([bound, count]) => {
      const upTo = bound === '+Inf' ? Number.POSITIVE_INFINITY : of.positive(`${at}.${bound}`, Number(bound))
      return { upTo, count }
    })
    .sort((a, b) => (a.upTo < b.upTo ? -1 : 1))
}

function counts(of: StatusFields, at: string, value: unknown): Readonly<Record<string, number>> {
  const given = of.values(at, value, (name, each) => of.whole(name, each, 0))
  if (Object.keys(given).length > MAX_ENTRIES) throw of.wrong(at, `at most ${MAX_ENTRIES} entries`, given)
  return given
}
