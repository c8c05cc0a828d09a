/**
 * What is published for a slot: its whole state in one record, so that compaction never loses the way back. No record, or a
 * tombstone, is no state: the handler's own model serves. `state-changes.ts` makes one state of another.
 */

/** One version of a model (Beam: ModelMetadata). */
export interface ModelMetadata {
  /** What the handler loads instead of its own model, and what predictions are labelled with; '' = the handler's own. */
  readonly modelId: string
  /** What the metrics of the model are named after. */
  readonly modelName: string
  /** Of the model's file: 64 lower-case hex digits. Undefined: not checked. */
  readonly sha256?: string
  /** Of the model's file. Undefined: not checked. */
  readonly sizeBytes?: number
}

/** A model on trial beside the stable one. */
export interface Candidate {
  readonly model: ModelMetadata
  /** `canary`: its share of the keys gets its predictions. `shadow`: its results are only compared. */
  readonly mode: 'canary' | 'shadow'
  /** Share of the keys, 0.01 to 100. */
  readonly percent: number
  /** Which keys these are: the same salt chooses the same ones. */
  readonly salt: string
  /** When instances end the trial by themselves; undefined: never. */
  readonly abortIf?: AbortRule
}

/** The candidate is given up when it is worse than the stable model by one of these factors. */
export interface AbortRule {
  readonly failureFactor: number
  readonly latencyFactor: number
  /** Records that the candidate has had before it is judged. */
  readonly minRecords: number
}

/** The state of a slot: the value of its record. */
export interface StepModels {
  /** 1 for the first state, and 1 more for each behind it; begins anew behind a tombstone. */
  readonly revision: number
  readonly stable: ModelMetadata
  readonly candidate?: Candidate
  /** What was stable before, newest first, at most 5. */
  readonly previous: readonly ModelMetadata[]
  /** Who: a person, a tool, an instance. */
  readonly publishedBy: string
  /** ISO 8601. */
  readonly publishedAt: string
  readonly reason?: string
}

export const MAX_PREVIOUS = 5

/** The handler's own model. */
export const OWN_MODEL: ModelMetadata = Object.freeze({ modelId: '', modelName: '' })

/** Whether these are the same bytes under the same name; how metrics are named does not count. */
export function isSameModel(a: ModelMetadata, b: ModelMetadata): boolean {
  return a.modelId === b.modelId && a.sha256 === b.sha256
}
