/** Reads metrics of an instance for its console: counters as growth a second, histograms as quantiles of what came lately. */
import type { Clock } from '../ops/clock.ts'
import type { MetricSample, Prometheus } from '../ops/prometheus.ts'
import type { Quantiles } from './console-api.ts'
import { createReadings } from './readings.ts'

export interface MetricReadings {
  read(): Promise<void>
  /** Growth a second, by the value of a label; '' where samples have none. */
  rates(name: string, overMs: number, label?: string): ReadonlyMap<string, number>
  /** The same of the sample with these labels alone. */
  rateOf(name: string, labels: MetricSample['labels'], overMs: number): number
  /** Values now, with their labels. */
  now(name: string): readonly MetricSample[]
  /** What came to each bucket of a histogram, of all labels together. */
  buckets(name: string, overMs: number): readonly { readonly upTo: number; readonly count: number }[]
  /** In the unit of the histogram; undefined: nothing came. */
  quantiles(name: string, overMs: number): Quantiles | undefined
  forget(): void
}

export function metricReadings(
  { read }: Pick<Prometheus, 'read'>,
  clock: Clock,
  names: readonly string[],
  keepMs: number,
): MetricReadings {
  const readings = createReadings(clock, keepMs)
  let samples: readonly MetricSample[] = []
  const of = (name: string) => samples.filter(sample => sample.name === name)
  const rates = (name: string, overMs: number, label?: string) => {
    const sums = new Map<string, number>()
    for (const sample of of(name)) {
      const group = label === undefined ? '' : String(sample.labels[label] ?? '')
      sums.set(group, (sums.get(group) ?? 0) + readings.perSecond(keyOf(sample), overMs))
    }
    return sums
  }
  const buckets = (name: string, overMs: number) => {
    const upTo = new Map<number, number>()
    for (const sample of of(`${name}_bucket`)) {
      const bound = sample.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample.labels.le)
      upTo.set(bound, (upTo.get(bound) ?? 0) + (readings.growth(keyOf(sample), overMs)?.by ?? 0))
    }
    let below = 0
    return [...upTo]
      .sort(([a], [b]) => a - b)
      .map(([bound, cumulative]) => {
        const count = cumulative - below
        below = cumulative
        return { upTo: bound, count }
      })
  }
  return {
    async read() {
      samples = (await Promise.all(names.map(name => read(name)))).flat()
      readings.add(new Map(samples.map(sample => [keyOf(sample), sample.value])))
    },
    rates,
    rateOf: (name, labels, overMs) => readings.perSecond(keyOf({ name, labels }), overMs),
    now: of,
    buckets,
    quantiles(name, overMs) {
      const counts = buckets(name, overMs)
      if (counts.every(({ count }) => count === 0)) return undefined
      return { p50: quantile(counts, 0.5), p99: quantile(counts, 0.99) }
    },
    forget() {
      readings.forget()
      samples = []
    },
  }
}

/** As Prometheus does it: spread evenly inside a bucket; what is above all bounds counts as the highest of them. */
export function quantile(buckets: readonly { readonly upTo: number; readonly count: number }[], share: number): number {
  const all = buckets.reduce((sum, { count }) => sum + count, 0)
  let below = 0
  let from = 0
  for (const { upTo, count } of buckets) {
    if (upTo === Number.POSITIVE_INFINITY) break
    if (below + count >= all * share && count > 0) return from + (upTo - from) * ((all * share - below) / count)
    below += count
    from = upTo
  }
  return from
}

function keyOf({ name, labels }: Pick<MetricSample, 'name' | 'labels'>): string {
  return `${name} ${JSON.stringify(labels)}`
}
