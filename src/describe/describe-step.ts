import { shownModelId } from '../credentials.ts'
import type { StepNode } from '../graph.ts'
import { deadLetterTopic } from '../kafka/topic-names.ts'
import type { Cohort, HandlerDefinition, HandlerFunction, OnnxModel } from '../models/model-handler.ts'
import { showSpec, type TensorSpec } from '../models/tensors.ts'
import { batchPolicy } from '../pipeline/batch-policy.ts'
import type { ModelDescription, StepDescription } from './node-descriptions.ts'

/** `id` and `input`: what this node and the one above it are called. */
export function describeStep(
  { step, handler, options }: StepNode,
  topology: string,
  { id, input }: Pick<StepDescription, 'id' | 'input'>,
): StepDescription {
  const { keyed, limits, preprocess, postprocess } = handler
  const { failureUnit = 'bisect', threshold = 1 } = options.exceptionHandling ?? {}
  return {
    id,
    kind: 'step',
    input,
    step,
    keyed,
    preprocess: preprocess.map(nameOf),
    postprocess: postprocess.map(nameOf),
    functions: options.functions ?? 'main',
    models: handler.cohorts.map(describeModel),
    maxModelsPerWorker: limits.maxModelsPerWorker ?? null,
    maxBytesPerWorker: limits.maxBytesPerWorker ?? null,
    modelMetadata: options.modelMetadata === true,
    modelIdentifier: options.modelIdentifier ?? null,
    batch: handler.batching ? describeBatch(handler, options) : null,
    failureUnit,
    threshold,
    resourceHints: { ...handler.resourceHints, ...options.resourceHints },
    failsTo: {
      preprocess: deadLetterTopic(topology, step, 'preprocess'),
      inference: deadLetterTopic(topology, step, 'inference'),
      postprocess: deadLetterTopic(topology, step, 'postprocess'),
    },
  }
}

function describeBatch(handler: HandlerDefinition, { batch }: StepNode['options']) {
  const { sizeOf, bucketBy, adaptive, ...limits } = { ...handler.batch, ...batch }
  const all = Object.entries({ ...batchPolicy(limits), sizeOf, bucketBy, adaptive })
  return Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, plain(value)]])))
}

function describeModel({ keys, model }: Cohort): ModelDescription {
  const onnx = model.kind === 'onnx' ? model : undefined
  return {
    keys: keys?.map(String) ?? null,
    kind: model.kind,
    uri: shownModelId(model.uri),
    inputs: onnx ? showInputs(onnx) : {},
    outputs: onnx ? showSpecs(onnx.outputs) : {},
    providerPolicy: onnx?.providerPolicy ?? null,
    intraOpNumThreads: onnx?.intraOpNumThreads ?? null,
    providers: model.providers,
    isolation: model.isolation,
    timeoutMs: model.timeoutMs ?? null,
    copies: model.modelCopies ?? null,
  }
}

function showInputs({ inputs, padding = {} }: OnnxModel): Record<string, string> {
  const padded = Object.entries(padding).map(([name, { mask }]) => {
    return [name, `${showSpec(inputs[name]!)} padded${mask === undefined ? '' : `, mask ${mask}`}`] as const
  })
  return { ...showSpecs(inputs), ...Object.fromEntries(padded) }
}

function showSpecs(specs: Readonly<Record<string, TensorSpec>>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, showSpec(spec)]))
}

function nameOf({ fn }: HandlerFunction): string {
  return fn.name
}

function plain(value: unknown): string | number | boolean {
  if (typeof value === 'function') return value.name || 'function'
  return typeof value === 'number' || typeof value === 'boolean'
    ? value
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
}
