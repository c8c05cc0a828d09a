/** What a set of models is given: the models of a step, and whom it tells. */
import type { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Lane, LoadedModel, ModelSpec } from './executor.ts'
import type { ModelLimits } from './model-handler.ts'
import type { SwapOutcome } from './model-preparation.ts'
import type { ModelVersion } from './model-version.ts'
import type { SharedLanes } from './shared-lanes.ts'

/** One model of a step. */
export interface StepModel {
  readonly spec: ModelSpec
  /** Lanes that may load it; one that is loaded before the first record is loaded in all of them. */
  readonly lanes: readonly Lane[]
  /** How many of them may hold it at one time. */
  readonly copies: number
  /** Those of its mapping; undefined: it is loaded before the first record, and never leaves. */
  readonly keys: readonly unknown[] | undefined
}

export interface ModelSetEvents {
  /** `count`: the models that the lane holds now. */
  loaded(cohort: number, lane: Lane, model: LoadedModel, count: number): void
  evicted(cohort: number, lane: Lane, count: number): void
  /** A model that was replaced has been unloaded. */
  left(lane: Lane, count: number): void
  /** Another model serves this cohort from now on. */
  switched(cohort: number): void
  /** A preparation has ended, so long after it began. */
  swapEnded(cohort: number, outcome: SwapOutcome, ms: number): void
  /** A batch that began on this version waits for its next try. */
  isWanted(version: ModelVersion): boolean
  /** Rows of this cohort that wait are dead letters, for this reason. */
  refused(cohort: number, reason: RunInferenceError): void
  outage(model: string, error: unknown): void
  recovered(model: string): void
  /** A lane may be able to do what it could not. */
  changed(): void
  fatal(error: unknown): void
}

export interface ModelSetOptions {
  readonly step: string
  /** By cohort. */
  readonly models: readonly StepModel[]
  readonly limits: ModelLimits
  readonly lanes: SharedLanes
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly events: ModelSetEvents
}
