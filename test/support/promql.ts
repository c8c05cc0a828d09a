import { parser } from '@prometheus-io/lezer-promql'

/** What a PromQL expression speaks of; throws where it is no PromQL. */
export function promqlNames(expression: string): { readonly metrics: Set<string>; readonly labels: Set<string> } {
  // Grafana puts the window in.
  const text = expression.replaceAll('$__rate_interval', '1m')
  const metrics = new Set<string>()
  const labels = new Set<string>()
  parser.parse(text).iterate({
    enter({ name, from, to, type }) {
      if (type.isError) throw new SyntaxError(`${text}\n${' '.repeat(from)}^ here it stops being PromQL`)
      if (name === 'Identifier') metrics.add(text.slice(from, to))
      if (name === 'LabelName') labels.add(text.slice(from, to))
    },
  })
  return { metrics, labels }
}
