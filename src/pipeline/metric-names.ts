import type { StepNode } from '../graph.ts'
import type { PublishedModels } from '../model-metadata.ts'

/** Beam's namespace of a step's metrics, and what tells its models apart in them: the first key of each mapping. */
export function metricNames(
  { handler, options }: StepNode,
  published?: PublishedModels,
): {
  readonly namespace: string
  readonly models: readonly string[]
  /** Of a published model: the name that Beam puts before those of its metrics. */
  readonly modelName: string
} {
  const { cohorts, metricsNamespace } = handler
  const ofKind = cohorts[0].keys === undefined ? 'RunInference' : 'BeamML_KeyedModels'
  return {
    namespace: options.metricsNamespace ?? metricsNamespace ?? ofKind,
    modelName: published && 'modelName' in published ? published.modelName : '',
    models: cohorts.map(({ keys }) => (keys === undefined ? '' : String(keys[0]))),
  }
}
