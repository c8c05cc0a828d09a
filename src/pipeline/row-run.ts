import type { ModelVersion } from '../models/model-version.ts'
import type { TensorData } from '../models/tensors.ts'
import type { RowCost } from './row-cost.ts'
import type { WorkBlock } from './work-block.ts'

/**
 * Rows of one block that wait for one model, all of one bucket: what the batcher queues. Copying them into a slot is the
 * run's business, so that raw rows go from the fetch buffer to shared memory in one step.
 */
export interface RowRun {
  readonly work: WorkBlock
  readonly count: number
  /** Element of the block behind each row of the batch. */
  readonly rows: Int32Array
  /** The way through the graph on which its elements came, and go on. */
  readonly route: number
  /** Which model of the step's handler runs it. */
  readonly cohort: number
  /** Equal for runs that can share a batch: their shape, and what `bucketBy` says. */
  readonly bucketKey: string
  /** Row shape of each model input; null where the batch is padded to its longest row. */
  readonly rowShapes: readonly (readonly (number | null)[])[]
  readonly cost: RowCost
  readonly arrivedAtMs: number
  /** Set where these rows are one batch that an element brought with it (withNoBatching): that element. */
  readonly broughtBy?: number | undefined
  /** Keys of keyed elements. */
  readonly keys: readonly unknown[] | undefined
  /** Copies elements [from, from + count) into the inputs of a slot, beginning at row `at`. `length`: see `Batch.paddedLength`. */
  fill(from: number, count: number, inputs: readonly TensorData[], at: number, length: number): void
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
  /** The length to which all its rows are padded; 0 where nothing is. */
  readonly paddedLength: number
  /** Bytes of its inputs and masks that stand for no element of a row. */
  readonly paddingBytes: number
  readonly reason: CloseReason
  /** When the first of its records was queued. */
  readonly firstArrivedAtMs: number
  /** How often it was tried again by now, as a whole. */
  readonly retries?: number
  /** The version of its model that it is tried again on, while that is well (I3). */
  readonly begunOn?: ModelVersion
}

/** Which model of the step runs the batch: the same for all its rows. */
export function cohortOf({ segments }: Pick<Batch, 'segments'>): number {
  return segments[0]!.run.cohort
}

/** Rows [from, from + rows) of a batch, as parts of its segments. */
export function rangeOf(segments: readonly RunSegment[], from: number, rows: number): RunSegment[] {
  const parts: RunSegment[] = []
  let start = 0
  for (const { run, from: first, to } of segments) {
    const length = to - first
    const low = Math.max(0, from - start)
    const high = Math.min(length, from + rows - start)
    if (low < high) parts.push({ run, from: first + low, to: first + high })
    start += length
  }
  return parts
}
