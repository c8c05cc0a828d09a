/**
 * A recorded expectation in the form in which it is compared. What is changed here is only how Python writes things down;
 * docs/beam-parity.md lists it. Nothing is left out.
 */
import { parseRepr, placeOf, splitLocation } from './python-text.ts'

interface RecordedMetric {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly step: string
  readonly value: unknown
}

/** Changes, by name of the field, how Python writes its value. */
const FIELDS: Readonly<Record<string, (value: never) => unknown>> = {
  exception_repr: parseRepr,
  // Python quotes the key of a KeyError.
  last_line: (line: string) => line.replace(/^KeyError: '(.*)'\n$/s, 'KeyError: $1\n'),
  ri_step_labels: (labels: readonly string[]) => labels.map(placeOf),
  metrics: (metrics: readonly RecordedMetric[]) =>
    Object.fromEntries(
      metrics.map(({ kind, namespace, name, step, value }) => [
        `${kind} ${namespace}/${name}`,
        { step: placeOf(step.replace('/BatchElements/', '/BeamML_RunInference/')), value },
      ]),
    ),
}

export function normalised(recorded: unknown): unknown {
  if (Array.isArray(recorded)) return recorded.map(normalised)
  if (typeof recorded !== 'object' || recorded === null) return recorded
  if (isPythonError(recorded)) return { ...recorded, ...splitLocation(recorded.message) }
  return Object.fromEntries(
    Object.entries(recorded).map(([name, value]) => {
      const change = FIELDS[name] as ((value: unknown) => unknown) | undefined
      return [name, change && value !== null ? change(value) : normalised(value)]
    }),
  )
}

function isPythonError(value: object): value is { readonly type: string; readonly message: string } {
  return 'type' in value && 'message' in value && typeof value.message === 'string'
}
