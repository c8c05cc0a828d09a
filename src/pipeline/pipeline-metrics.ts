import type { ErrorCode, Stage } from '../errors.ts'
import type { SwapOutcome } from '../models/model-preparation.ts'
import type { ServedModel } from '../models/served-models.ts'
import type { CloseReason } from './row-run.ts'
import type { ShadowMetrics } from './shadow-metrics.ts'
import type { FailurePoint } from './stage.ts'

/** How long the rows of a batch waited for it. */
export interface BatchWaits {
  /** Its first row: none waited longer. */
  readonly firstMs: number
  /** All its rows together. */
  readonly allMs: number
}

/**
 * What the pipeline tells about itself: called per block, per batch or per unit, never per record. `cohort` is the index of
 * the step's model in its handler: 0 where the handler has one. Models on trial stand behind all of them, in the same order.
 */
export interface PipelineMetrics extends ShadowMetrics {
  /** Before anything else of this step: Beam's namespace, and a name for each of its models ('' for the only one). */
  stepOpened(step: string, namespace: string, models: readonly string[]): void
  /** From now on a model that was published serves under this id; '' = it has no name of its own. Calls that began before go by theirs. */
  modelNamed(step: string, cohort: number, modelId: string, modelName: string): void
  /** The newest revision that was read for a model (0: none is published), and whether it serves. */
  modelRevision(step: string, cohort: number, revision: number, isCurrent: boolean): void
  /** A model that was published cannot be used. */
  modelRefreshFailed(step: string, cohort: number, code: ErrorCode): void
  /** The model on trial beside this one has so many percent of the keys now; 0: none. */
  modelTrial(step: string, cohort: number, percent: number): void
  /** It was given up by the rule of its trial, or for an error that would have ended the application. */
  modelTrialGivenUp(step: string, cohort: number, about: 'failures' | 'latency' | 'error'): void
  blockReceived(topic: string, records: number, bytes: number): void
  /** Elements that were made of records on their way: by flatMap, and of records that bring batches. */
  childrenMade(topic: string, count: number): void
  /** A synchronous function kept the main thread for longer than `SLOW_FUNCTION_MS`; `index` as in a dead letter of it. */
  slowFunction(point: Pick<FailurePoint, 'step' | 'stage' | 'node'>, index: number, ms: number): void
  /** `paddingBytes`: of its input bytes, those that fill rows up. */
  batchDispatched(step: string, reason: CloseReason, rows: number, waits: BatchWaits, paddingBytes: number): void
  /** A batch has left the step, be it as results, dead letters or rows that were put back: so long after its dispatch. */
  batchEnded(step: string, ms: number): void
  /** The size that past batches suggest, where batches are adaptive. */
  batchAdaptive(step: string, rows: number): void
  /**
   * A call to the model that succeeded: Beam's num_inferences, batch size and latency. `bytes`: undefined where the handler
   * could not tell. `modelId`: what its results are labelled with.
   */
  batchSucceeded(
    step: string,
    cohort: number,
    rows: number,
    bytes: number | undefined,
    computeMs: number,
    queueMs: number,
    modelId?: string,
  ): void
  /** A batch whose call to the model failed, also while its results were read: Beam's failed_batches_counter. */
  batchFailed(step: string, cohort: number): void
  /** The most rows of a batch: the policy's, or fewer since the device ran out of memory. */
  batchCeiling(step: string, rows: number): void
  modelLoaded(step: string, cohort: number, loadMs: number, sizeBytes: number): void
  /** A lane let a model go to make room for another one. */
  modelEvicted(step: string, cohort: number): void
  /** How many of the step's models a lane holds now. */
  modelsResident(step: string, lane: number, count: number): void
  /** A model was loaded in spare lanes to take the place of the step's, and did so, or not: so long after it was begun. */
  modelSwapEnded(step: string, outcome: SwapOutcome, ms: number): void
  /** Asked whenever metrics are: which models run where. */
  watchModels(models: () => readonly ServedModel[]): void
  deadLetters(stage: Exclude<Stage, 'application'>, step: string, code: ErrorCode, count: number): void
  dropped(node: string, count: number): void
  timestampsClamped(count: number): void
  unitAcknowledged(topic: string, records: number, oldestMs: number): void
  committed(topic: string, partition: number, offset: number): void
  /** Exactly once: a transaction of a partition of this topic is being written. */
  transactionBegan(topic: string): void
  /**
   * The same one is over: `aborted` = outputs were refused, and are written anew without them; `lost` = its outcome is not
   * known, or its partition is gone; `fenced` = another instance has the partition by now.
   */
  transactionEnded(topic: string, outcome: 'committed' | 'aborted' | 'lost' | 'fenced', ms: number): void
  inFlight(rows: number, bytes: number): void
  lag(topic: string, partition: number, records: number, seconds: number): void
  breakerState(step: string, state: 'closed' | 'half-open' | 'open'): void
  /** The flood guard has halted the application, or an operator has let it go on. */
  halted(isHalted: boolean): void
  /** `step`: where it belongs to one. */
  retried(what: string, step?: string): void
  lost(topic: string, records: number): void
  /** The partition is no longer ours: its lag is not ours to tell. */
  forgetPartition(topic: string, partition: number): void
}

/** A synchronous function that keeps the main thread for longer holds up every partition: it is told. */
export const SLOW_FUNCTION_MS = 100
