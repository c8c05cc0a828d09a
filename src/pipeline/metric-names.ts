import type { StepNode } from '../graph.ts'

/** Beam's namespace of a step's metrics, and what tells its models apart in them: the first key of each mapping. */
export function metricNames({ handler, options }: StepNode): {
  readonly namespace: string
  readonly models: readonly string[]
} {
  const { cohorts, metricsNamespace } = handler
  const ofKind = cohorts[0].keys === undefined ? 'RunInference' : 'BeamML_KeyedModels'
  return {
    namespace: options.metricsNamespace ?? metricsNamespace ?? ofKind,
    models: cohorts.map(({ keys }) => (keys === undefined ? '' : String(keys[0]))),
  }
}
