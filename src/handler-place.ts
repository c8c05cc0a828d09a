/**
 * Where a handler that a user wrote stands: in a step of a topology, which both sides of a thread build from the same module. A
 * digest of the graph says whether they have built the same one.
 */
import { RunInferenceError } from './errors.ts'
import type { StepNode } from './graph.ts'
import type { PlacedHandler } from './models/custom-session.ts'
import type { CustomSpec, HandlerPlace, ModelSpec } from './models/executor.ts'
import { modelSpecOf } from './models/model-handler.ts'
import { type Topology, topologyDigest } from './topology.ts'

/**
 * What lanes load for the models of a step, in the order of its cohorts. Equal ONNX models are one copy; models of handlers that users wrote
 * are one for each step and cohort, unless steps give the same `modelIdentifier`.
 */
export function specsOfStep(topology: Topology, { step, handler, options }: StepNode): readonly ModelSpec[] {
  return handler.cohorts.map(({ model }, cohort) => {
    const spec = modelSpecOf(model, options.inferenceArgs)
    if (spec.kind === 'onnx') return spec
    const { modelIdentifier } = options
    const identifier = JSON.stringify(modelIdentifier === undefined ? { step, cohort } : { modelIdentifier, cohort })
    const digest = topologyDigest(topology.whole ?? topology)
    return { ...spec, identifier, place: { module: topology.module, digest, step, cohort } } satisfies CustomSpec
  })
}

/** The handler of this place. Throws MODEL_UNUSABLE when this is another topology. */
export function handlerAt(topology: Topology, { digest, step, cohort, module }: HandlerPlace): PlacedHandler {
  const whole = topology.whole ?? topology
  const node = whole.steps.find(each => each.step === step)
  const model = node?.handler.cohorts[cohort]?.model
  if (topologyDigest(whole) !== digest || model?.kind !== 'custom') {
    throw new RunInferenceError(
      'MODEL_UNUSABLE',
      `step "${step}": ${module?.file ?? `topology "${topology.name}"`} gives another topology in a lane than it gave to the ` +
        'application: a topology module must depend on nothing but its parameters, neither the environment nor the time nor files that change',
    )
  }
  return { handler: model.handler, inferenceArgs: node?.options.inferenceArgs }
}
