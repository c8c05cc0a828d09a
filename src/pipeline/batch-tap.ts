import type { BatchOutputs } from '../models/executor.ts'
import type { TensorData } from '../models/tensors.ts'
import type { Batch } from './row-run.ts'

/** Somebody who looks at what goes into a model and comes out of it, before anybody else has the results. */
export interface BatchTap {
  /**
   * Rows [from, from + rows) of the batch have run. `inputs`: of all its rows, as the model was given them. All of it may change as
   * soon as this returns. Must not throw, and nobody waits for what it begins.
   */
  ran(batch: Batch, inputs: readonly TensorData[], from: number, rows: number, outputs: BatchOutputs): void
}
