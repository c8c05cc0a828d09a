/** Reads metrics of an instance now and then: counters as growth, histograms as what came to each bucket lately. */
import type { Clock } from './clock.ts'
import type { MetricSample, Prometheus } from './prometheus.ts'
import { createReadings } from './readings.ts'

/** How many had so much at most, and more than the bound below it. */
export interface Bucket {
  readonly upTo: number
  readonly count: number
}

export interface MetricReadings {
  read(): Promise<void>
  /** How long `growth` and `buckets` are about; undefined before the second reading. */
  seconds(overMs: number): number | undefined
  /** By the value of a label, '' where samples have none. Empty: nothing has been counted, or it was read once. */
  growth(name: string, overMs: number, label?: string): ReadonlyMap<string, number>
  /** The same a second. */
  rates(name: string, overMs: number, label?: string): ReadonlyMap<string, number>
  /** The same of the sample with these labels alone; undefined before the second reading. */
  rateOf(name: string, labels: MetricSample['labels'], overMs: number): number | undefined
  /** Values now, with their labels. */
  now(name: string): readonly MetricSample[]
  /** What came to each bucket of a histogram, of all labels together; by their bounds. */
  buckets(name: string, overMs: number): readonly Bucket[]
  forget(): void
}

/** `gauges`: only what they have now is kept, since there may be several for each partition. */
export function metricReadings(
  { read }: Pick<Prometheus, 'read'>,
  clock: Clock,
  names: readonly string[],
  keepMs: number,
  gauges: readonly string[] = [],
): MetricReadings {
  const readings = createReadings(clock, keepMs)
  let samples: readonly MetricSample[] = []
  const of = (name: string) => samples.filter(sample => sample.name === name)
  const summed = (name: string, label: string | undefined, value: (key: string) => number | undefined) => {
    const sums = new Map<string, number>()
    for (const sample of of(name)) {
      const group = label === undefined ? '' : String(sample.labels[label] ?? '')
      const each = value(keyOf(sample))
      if (each !== undefined) sums.set(group, (sums.get(group) ?? 0) + each)
    }
    return sums
  }
  return {
    async read() {
      const all = (wanted: readonly string[]) => Promise.all(wanted.map(name => read(name)))
      const [counted, shown] = [(await all(names)).flat(), (await all(gauges)).flat()]
      samples = [...counted, ...shown]
      readings.add(new Map(counted.map(sample => [keyOf(sample), sample.value])))
    },
    seconds: overMs => readings.seconds(overMs),
    growth: (name, overMs, label) => summed(name, label, key => readings.growth(key, overMs)?.by),
    rates: (name, overMs, label) => summed(name, label, key => readings.perSecond(key, overMs)),
    rateOf: (name, labels, overMs) => readings.perSecond(keyOf({ name, labels }), overMs),
    now: of,
    buckets(name, overMs) {
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
    },
    forget() {
      readings.forget()
      samples = []
    },
  }
}

/** As Prometheus does it: spread evenly inside a bucket; what is above all bounds counts as the highest of them. */
export function quantile(buckets: readonly Bucket[], share: number): number {
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
