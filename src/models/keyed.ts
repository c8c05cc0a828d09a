import { RunInferenceError } from '../errors.ts'
import type { KV } from '../records.ts'
import { type BareModelHandler, type ModelHandler, modelHandler } from './model-handler.ts'

/**
 * Takes and gives keyed elements (Beam: KeyedModelHandler around one handler): all keys share one model and its batches.
 * Functions go around the keyed handler and see key and value; a handler that has some already is refused, as in Beam.
 */
export function keyed<In, Out, K = string>(handler: BareModelHandler<In, Out>): ModelHandler<KV<K, In>, KV<K, Out>> {
  const { definition } = handler
  if (definition.preprocess.length > 0 || definition.postprocess.length > 0) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      'keyed() takes a handler without functions, and this one has some: ' +
        'add withPreprocess and withPostprocess to what keyed() returns; they see key and value',
    )
  }
  if (definition.keyed) throw new RunInferenceError('TOPOLOGY_INVALID', 'keyed() got a handler that is keyed already')
  return modelHandler({ ...definition, keyed: true })
}
