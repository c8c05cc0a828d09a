/** What a record of the metadata topic asks of an instance: a model that serves, and one on trial beside it. */
import { type Candidate, isSameModel, type ModelMetadata, OWN_MODEL, type StepModels } from './step-models.ts'

export interface SlotTarget {
  readonly revision: number
  /** Of the record; NO_RECORD: there is none. */
  readonly metadataOffset: number
  readonly wanted: ModelMetadata
  /** What may take its place where nothing serves yet, in this order. */
  readonly instead: readonly ModelMetadata[]
}

export const NO_RECORD = -1

/** Of the newest record: `undefined` = a tombstone, or none at all. */
export function stableTarget(state: StepModels | undefined, metadataOffset: number): SlotTarget {
  const { revision = 0, stable: wanted = OWN_MODEL, previous = [] } = state ?? {}
  const others = [...previous, OWN_MODEL].filter(model => !isSameModel(model, wanted))
  const instead = others.filter((model, i) => others.findIndex(other => isSameModel(other, model)) === i)
  return { revision, metadataOffset, wanted, instead }
}

/** Nothing takes the place of a model on trial. */
export function trialTarget({ model }: Candidate, { revision }: StepModels, metadataOffset: number): SlotTarget {
  return { revision, metadataOffset, wanted: model, instead: [] }
}
