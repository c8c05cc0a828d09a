import type { ErrorCode, Stage } from '../errors.ts'
import type { ServedModel } from '../models/served-models.ts'
import type { CloseReason } from './row-run.ts'

/** How long the rows of a batch waited for it. */
export interface BatchWaits {
  /** Its first row: none waited longer. */
  readonly firstMs: number
  /** All its rows together. */
  readonly allMs: number
}

/** What the pipeline tells about itself: called per block, per batch or per unit, never per record. */
export interface PipelineMetrics {
  blockReceived(topic: string, records: number, bytes: number): void
  /** `paddingBytes`: of its input bytes, those that fill rows up. */
  batchDispatched(step: string, reason: CloseReason, rows: number, waits: BatchWaits, paddingBytes: number): void
  /** The size that past batches suggest, where batches are adaptive. */
  batchAdaptive(step: string, rows: number): void
  /** A call to the model that succeeded: Beam's num_inferences, batch size and latency. */
  batchSucceeded(step: string, rows: number, bytes: number, computeMs: number, queueMs: number): void
  /** A call to the model that threw: Beam's failed_batches_counter. */
  batchFailed(step: string): void
  /** The most rows of a batch: the policy's, or fewer since the device ran out of memory. */
  batchCeiling(step: string, rows: number): void
  modelLoaded(step: string, loadMs: number, sizeBytes: number): void
  /** Asked whenever metrics are: which models run where. */
  watchModels(models: () => readonly ServedModel[]): void
  deadLetters(stage: Exclude<Stage, 'application'>, step: string, code: ErrorCode, count: number): void
  dropped(node: string, count: number): void
  timestampsClamped(count: number): void
  unitAcknowledged(topic: string, records: number, oldestMs: number): void
  committed(topic: string, partition: number, offset: number): void
  inFlight(rows: number, bytes: number): void
  lag(topic: string, partition: number, records: number, seconds: number): void
  breakerState(step: string, state: 'closed' | 'half-open' | 'open'): void
  retried(what: string): void
  lost(topic: string, records: number): void
  /** The partition is no longer ours: its lag is not ours to tell. */
  forgetPartition(topic: string, partition: number): void
}
