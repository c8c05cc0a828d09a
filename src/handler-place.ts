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
export function specsOfStep(topology: Topology, node: StepNode): readonly ModelSpec[] {
  return node.handler.cohorts.map((_, cohort) => publishedSpec(topology, node, cohort, ''))
}

/** What lanes load when this model is published for a cohort; '' = the handler's own. */
export function publishedSpec(topology: Topology, node: StepNode, cohort: number, modelId: string): ModelSpec {
  const { step, handler, options } = node
  const { model } = handler.cohorts[cohort]!
  const spec = modelSpecOf(modelId ? { ...model, uri: modelId } : model, options.inferenceArgs)
  if (spec.kind === 'onnx') return spec
  const { modelIdentifier } = options
  const shared = modelIdentifier === undefined ? { step, cohort } : { modelIdentifier, cohort }
  const identifier = JSON.stringify(modelId ? { ...shared, modelId } : shared)
  const digest = topologyDigest(topology.whole ?? topology)
  return {
    ...spec,
    uri: modelId || spec.uri,
    identifier,
    place: { module: topology.module, digest, step, cohort },
  } satisfies CustomSpec
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
