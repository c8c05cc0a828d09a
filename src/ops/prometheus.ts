/** One registry of metrics in the exposition format; the only importer of prom-client. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string | number>>
type SetValue = (value: number, labels?: Labels) => void

/** Buckets of a time that is usually far below a second. */
export const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** One number of a metric; of a histogram those of its buckets, sum and count, by their own names. */
export interface MetricSample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** Makes metrics of one registry; every one of them has a name, a help text and the names of its labels. */
export interface Prometheus {
  counter(name: string, help: string, ...labelNames: string[]): Counter
  gauge(name: string, help: string, ...labelNames: string[]): Gauge
  histogram(name: string, help: string, buckets: readonly number[], ...labelNames: string[]): Histogram
  /** A gauge whose values are looked at when somebody asks. */
  asked(name: string, help: string, labelNames: string[], look: (set: SetValue) => void): void
  /** A counter of that kind. */
  askedCounter(name: string, help: string, labelNames: string[], look: (set: SetValue) => void): void
  /** What one metric has now; empty where there is none of this name. Asks no other one, so what is reset by asking is left alone. */
  read(name: string): Promise<readonly MetricSample[]>
  text(): Promise<string>
  readonly contentType: string
  list(): Promise<readonly { readonly name: string; readonly type: string; readonly help: string }[]>
}

export function createPrometheus(): Prometheus {
  const registry = new Registry()
  const registers = [registry]
  return {
    counter: (name, help, ...labelNames) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, ...labelNames) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name, help, buckets, ...labelNames) =>
      new Histogram({ name, help, buckets: [...buckets], labelNames, registers }),
    asked(name, help, labelNames, look) {
      new Gauge({
        ...{ name, help, labelNames, registers },
        collect() {
          this.reset()
          look((value, labels = {}) => this.set(labels, value))
        },
      })
    },
    askedCounter(name, help, labelNames, look) {
      new Counter({
        ...{ name, help, labelNames, registers },
        collect() {
          this.reset()
          look((value, labels = {}) => this.inc(labels, value))
        },
      })
    },
    async read(metric) {
      const { values = [] } = (await registry.getSingleMetric(metric)?.get()) ?? {}
      return values.map(({ labels, value, ...rest }) => ({
        name: 'metricName' in rest && rest.metricName !== undefined ? String(rest.metricName) : metric,
        labels: labels as Labels,
        value,
      }))
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    list: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({ name, type: String(type), help })),
  }
}
