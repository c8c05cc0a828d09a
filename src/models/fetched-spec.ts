import type { ModelSpec } from './executor.ts'
import type { HandlerModel } from './model-handler.ts'
import type { FetchedModel } from './model-source.ts'

/** Whether lanes load a file for this model; false: the handler of a user takes its id as a text. */
export function isFileModel(model: HandlerModel): boolean {
  return model.kind === 'onnx' || model.isFile
}

/** True for a model that has to be fetched before a lane can load it, a handler's own one too. */
export function isRemoteModel(uri: string): boolean {
  return /^(https?|s3|file):/i.test(uri)
}

/**
 * The spec that loads the fetched file and nothing but its bytes, and is labelled as before. Its identifier tells it from another
 * version at the same address, so that both can be loaded in one lane.
 */
export function withFetched<Spec extends ModelSpec>(spec: Spec, { path, sha256 }: Omit<FetchedModel, 'release'>): Spec {
  return { ...spec, file: path, sha256, identifier: JSON.stringify([spec.identifier, sha256]) }
}
