/** Published models in a driver: the metadata topic is written as the commands write it; files are taken from where they are. */
import { readModelFile } from '../models/model-file.ts'
import type { HealthReport } from '../ops/run-health.ts'
import { changeMetadata, type MetadataWriterParts } from '../refresh/metadata-writer.ts'
import { type ModelKey, slotText } from '../refresh/slot.ts'
import type { ModelFiles } from '../refresh/slot-loader.ts'
import { published } from '../refresh/state-changes.ts'
import type { ModelMetadata } from '../refresh/step-models.ts'

/** The model of a step; of a per-key handler, those of some of its keys. */
export type PublishedModels = ModelMetadata | ReadonlyMap<unknown, ModelMetadata>

/** Any file of this machine. It is read at once, since a driver waits for nothing but its clock; lanes compare the checksum. */
export const driverModels: ModelFiles = {
  async fetch({ modelId, sha256 }) {
    const file = readModelFile(modelId)
    return { path: modelId, sizeBytes: file.sizeBytes, sha256: sha256 ?? file.sha256, release() {} }
  },
}

export async function publishAll(
  parts: MetadataWriterParts,
  models: ReadonlyMap<string, PublishedModels>,
): Promise<void> {
  for (const [step, of] of models) {
    if (!(of instanceof Map)) await publishModel(parts, step, of as ModelMetadata)
    else for (const [key, model] of of) await publishModel(parts, step, model, key as ModelKey)
  }
}

/** Undefined: a tombstone. Resolves with the offset of the record. */
export async function publishModel(
  parts: MetadataWriterParts,
  step: string,
  model: ModelMetadata | undefined,
  modelKey?: ModelKey,
): Promise<number> {
  const at = new Date(parts.clock.wallTime()).toISOString()
  const written = await changeMetadata(parts, slotText(step, modelKey), state =>
    model === undefined ? 'tombstone' : published(state, model, 'driver', at),
  )
  return written!.offset
}

/** True when a record was read and what it asks for is done, has failed, or waits for an outage; also when nobody has a use for it. */
export function isTakenUp({ slots, problems }: HealthReport, slot: string, offset: number): boolean {
  const status = slots.find(each => each.slot === slot)
  if (status === undefined) return `model metadata of ${slot}` in problems
  return status.metadataOffset >= offset && (status.state !== 'loading' || status.reason !== undefined)
}

/** True while there is a step for which no model is there that could serve. */
export function waitsForModel({ slots }: HealthReport): boolean {
  return slots.some(({ modelId, reason }) => modelId === undefined && reason !== undefined)
}
