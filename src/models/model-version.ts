import type { BatchSlot, Lane, LaneModel, ModelSpec } from './executor.ts'

/** One model of a step as it was loaded from one spec: the handler's own, or what took its place. */
export interface ModelVersion {
  /** Whose rows it runs; that of a candidate changes when it is promoted. */
  cohort: number
  readonly spec: ModelSpec
  /** Lanes that hold it, or may load it where models are loaded on demand. */
  lanes: readonly Lane[]
  /** How many of them may hold it at one time. */
  readonly copies: number
  /** Where models are loaded on demand: the lane that it was prepared in, until one of `lanes` has it. */
  spare: Lane | undefined
  /** Batches that this lane has taken. */
  spareUses: number
  /** Its lanes are none of `Executor.lanes` yet: it is given no batch of the dispatcher. */
  isAside: boolean
  /** Another one serves in its place: what began on it ends on it, and nothing else. */
  isReplaced: boolean
}

/** True while rows of this cohort are its own. One that has taken over what a candidate left has them, and they are not. */
export function isItsOwn({ cohort, isReplaced }: ModelVersion, ofRows: number): boolean {
  return cohort === ofRows && !isReplaced
}

/** A slot for a batch, and the model that runs it, whatever serves by then. */
export interface ModelSlot {
  readonly slot: BatchSlot
  readonly model: LaneModel
  readonly version: ModelVersion
  /** Releases the slot; the model may leave. */
  release(): void
}
