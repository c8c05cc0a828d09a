/** A model as a command is given it: where it is, what its bytes are, and what has to happen before it is published. */
import { withoutCredentials } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import { isFileModel } from '../models/fetched-spec.ts'
import { digestModel } from '../models/model-digest.ts'
import type { FetchedModel, ModelSource } from '../models/model-source.ts'
import { systemClock } from '../ops/clock.ts'
import type { ModelMetadata } from '../refresh/step-models.ts'
import type { TopologySlot } from '../refresh/topology-slots.ts'
import { modelRootsOf, modelSourceOf, remoteAccessOf } from './model-access.ts'
import { checkModel, type ModelCheck } from './models-check.ts'
import type { ModelsSession } from './models-session.ts'
import { requireLocalFile, uploadedId, uploadModel } from './models-upload.ts'

export interface PlacedModel {
  /** Under which it is published. */
  readonly modelId: string
  /** Read whole; undefined where the handler takes the id as a text. */
  readonly fetched: FetchedModel | undefined
  readonly source: ModelSource
  /** Puts it where it is to be, if it is to be elsewhere. */
  place(): Promise<void>
}

/** Reads it by the rules of instances; with `upload`, a root, any file of this machine. Rejects as `ModelSource.fetch`. */
export async function openModel(
  session: ModelsSession,
  { step, cohort }: TopologySlot,
  modelId: string,
  upload: string | undefined,
): Promise<PlacedModel> {
  const { topology, settings, signal, progress } = session
  const onRead = (done: number, total: number) => progress.show('reading: size and checksum', done / total)
  const source = modelSourceOf(settings, topology, systemClock, onRead)
  const handler = topology.steps.find(node => node.step === step)!.handler
  const place = async () => {}
  if (!isFileModel(handler.cohorts[cohort]!.model)) {
    if (upload === undefined) return { modelId, fetched: undefined, source, place }
    const what = `the handler of step "${step}" takes a model id as a text, not a file`
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `--upload: ${what}. Leave it out, or set modelIsFile in the handler`,
    )
  }
  progress.show('reading: size and checksum')
  try {
    if (upload === undefined) return { modelId, fetched: await source.fetch({ modelId }, signal), source, place }
    const path = requireLocalFile(modelId)
    const digest = await digestModel({
      modelId,
      path,
      maxBytes: settings.maxModelBytes,
      signal,
      allowWeights: undefined,
    })
    const id = uploadedId(upload, path, digest.sha256)
    return {
      ...{ modelId: id, fetched: { ...digest, path, release() {} }, source },
      place: async () => {
        const step = `uploading: to ${withoutCredentials(upload)}`
        progress.show(step)
        const onSent = (done: number, total: number) => progress.show(step, done / total)
        const options = { access: remoteAccessOf(settings), source, clock: systemClock, signal, onSent }
        await uploadModel(id, path, digest, modelRootsOf(settings, topology), options).finally(() => progress.clear())
      },
    }
  } finally {
    progress.clear()
  }
}

/** As it is published; `name`: what its metrics are named after. */
export function metadataOf({ modelId, fetched }: PlacedModel, name: string): ModelMetadata {
  if (fetched === undefined) return { modelId, modelName: name }
  const { sha256, sizeBytes } = fetched
  return { modelId, modelName: name, sha256, sizeBytes }
}

/** `serving`: what is published now. */
export async function checkOf(
  session: ModelsSession,
  slot: TopologySlot,
  opened: PlacedModel,
  model: ModelMetadata,
  serving: ModelMetadata | undefined,
): Promise<ModelCheck> {
  return await checkModel(session, slot, opened.fetched, model, serving, opened.source)
}
