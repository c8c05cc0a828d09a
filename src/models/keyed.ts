import { RunInferenceError } from '../errors.ts'
import type { KV } from '../records.ts'
import {
  type BareModelHandler,
  type HandlerDefinition,
  handlerOf,
  type ModelHandler,
  type ModelLimits,
} from './model-handler.ts'

/** Keys and the handler of their model (Beam: KeyModelMapping). */
export interface KeyModelMapping<K, in In, out Out> {
  /** Strings, numbers, bigints or booleans; each key belongs to one mapping. */
  readonly keys: readonly K[]
  readonly handler: BareModelHandler<In, Out>
}

/**
 * Takes and gives keyed elements (Beam: KeyedModelHandler). With one handler, all keys share its model and its batches. With
 * mappings, each has a model of its own, loaded when its first batch comes: one call per model and batch, results in the
 * order of their records; a key of no mapping is a dead letter of that record alone. Functions go around the keyed handler
 * and see key and value; a handler that has some already is refused, as in Beam.
 */
export function keyed<In, Out, K = string>(handler: BareModelHandler<In, Out>): ModelHandler<KV<K, In>, KV<K, Out>>
export function keyed<In, Out, K = string>(
  mappings: readonly KeyModelMapping<K, In, Out>[],
  limits?: ModelLimits,
): ModelHandler<KV<K, In>, KV<K, Out>>
export function keyed<In, Out, K>(
  handlers: BareModelHandler<In, Out> | readonly KeyModelMapping<K, In, Out>[],
  limits: ModelLimits = {},
): ModelHandler<KV<K, In>, KV<K, Out>> {
  if ('definition' in handlers) return handlerOf({ ...bareDefinition('keyed', handlers), keyed: true })
  const [first, ...rest] = handlers.map(({ keys, handler }) => {
    const { cohorts, batch, resourceHints } = bareDefinition('keyed', handler)
    const ignored = Object.entries({ batch, resourceHints }).flatMap(([name, asked]) =>
      Object.keys(asked).map(option => `${name}.${option}`),
    )
    return { keys: Object.freeze([...keys]), model: cohorts[0].model, ...(ignored.length > 0 ? { ignored } : {}) }
  })
  if (!first)
    throw new RunInferenceError('TOPOLOGY_INVALID', 'keyed([]) has no mapping: give at least one { keys, handler }')
  return handlerOf({
    cohorts: [first, ...rest],
    keyed: true,
    limits: Object.freeze({ ...limits }),
    batching: true,
    preprocess: [],
    postprocess: [],
    batch: {},
    metricsNamespace: undefined,
    resourceHints: {},
  })
}

/**
 * Takes keyed elements and others (Beam: MaybeKeyedModelHandler): what came with a key leaves with it. Each element decides for
 * itself, so both kinds may share a batch.
 */
export function maybeKeyed<In, Out, K = string>(
  handler: BareModelHandler<In, Out>,
): ModelHandler<In | KV<K, In>, Out | KV<K, Out>> {
  return handlerOf({ ...bareDefinition('maybeKeyed', handler), keyed: 'maybe' })
}

function bareDefinition(where: string, { definition }: BareModelHandler<never, unknown>): HandlerDefinition {
  if (definition.preprocess.length > 0 || definition.postprocess.length > 0) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${where}() takes a handler without functions, and this one has some: ` +
        `add withPreprocess and withPostprocess to what ${where}() returns; they see key and value`,
    )
  }
  if (!definition.batching) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${where}() takes a handler that batches: call withNoBatching() on what ${where}() returns`,
    )
  }
  if (definition.keyed)
    throw new RunInferenceError('TOPOLOGY_INVALID', `${where}() got a handler that is keyed already`)
  return definition
}
