/** What is published about the models of steps: read at the start of an instance, before it joins its group. */
import { RunInferenceError } from './errors.ts'
import type { StepNode } from './graph.ts'
import { show } from './problem.ts'
import type { ModelMetadata } from './refresh/step-models.ts'

export type { ModelMetadata } from './refresh/step-models.ts'

/** The model of a step; of a per-key handler, those of some of its keys. */
export type PublishedModels = ModelMetadata | ReadonlyMap<unknown, ModelMetadata>

/** What is published for each model of the step's handler. Throws SETTINGS_INVALID for what does not fit the handler. */
export function publishedByCohort(
  { step, handler: { cohorts } }: StepNode,
  published: PublishedModels | undefined,
): readonly (ModelMetadata | undefined)[] {
  if (published === undefined) return cohorts.map(() => undefined)
  const isPerKey = cohorts[0].keys !== undefined
  if (!(published instanceof Map)) {
    if (isPerKey) throw misfit(step, 'the handler has a model for each key, and one model is published for all')
    return [published as ModelMetadata]
  }
  if (!isPerKey) throw misfit(step, 'models are published by key, and the handler has one model')
  const known = new Set(cohorts.flatMap(({ keys = [] }) => keys))
  const unknown = [...published.keys()].find(key => !known.has(key))
  if (unknown !== undefined) throw misfit(step, `a model is published for key ${show(unknown)}, which is in no mapping`)
  return cohorts.map(({ keys = [] }) => {
    const ids = new Set(keys.map(key => published.get(key)?.modelId ?? ''))
    if (ids.size > 1)
      throw misfit(step, `keys ${keys.map(show).join(', ')} share a model, and ${ids.size} are published`)
    return published.get(keys[0])
  })
}

function misfit(step: string, what: string): RunInferenceError {
  return new RunInferenceError(
    'SETTINGS_INVALID',
    `model metadata of step "${step}": ${what}. Publish what fits, or change the topology`,
  )
}
