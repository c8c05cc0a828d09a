import type { TensorData } from '../models/tensors.ts'
import type { WorkBlock } from './work-block.ts'

/**
 * Rows of one block that wait for one model, all of one shape: what the batcher queues. Copying them into a slot is the
 * run's business, so that raw rows go from the fetch buffer to shared memory in one step.
 */
export interface RowRun {
  readonly work: WorkBlock
  readonly count: number
  /** Source row of each element. */
  readonly rows: Int32Array
  /** Equal for runs that can share a batch. */
  readonly shapeKey: string
  /** Row shape of each model input. */
  readonly rowShapes: readonly (readonly number[])[]
  readonly arrivedAtMs: number
  /** Keys of keyed elements. */
  readonly keys: readonly unknown[] | undefined
  /** Copies elements [from, from + count) into the inputs of a slot, beginning at row `at`. */
  fill(from: number, count: number, inputs: readonly TensorData[], at: number): void
  /** What entered the model, as a view. */
  example(i: number): unknown
}

/** A part of a run: [from, to). */
export interface RunSegment {
  readonly run: RowRun
  readonly from: number
  readonly to: number
}

/** Why a batch closed; a label of the metrics. */
export type CloseReason = 'count' | 'bytes' | 'time' | 'idle' | 'pressure' | 'shutdown' | 'revoke' | 'model-switch'

export interface Batch {
  readonly segments: readonly RunSegment[]
  readonly rows: number
  readonly rowShapes: readonly (readonly number[])[]
  readonly reason: CloseReason
  /** When the first of its records was queued. */
  readonly firstArrivedAtMs: number
}
