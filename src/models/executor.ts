/**
 * The port between the main thread, which never runs a model (I6), and lanes, which do nothing else. One contract suite
 * (`test/contract/executor.contract.ts`) for every adapter: thread, in-thread (test driver), later child process.
 */
import type { RunInferenceError } from '../errors.ts'
import type { Dtype, TensorData, TensorSpec } from './tensors.ts'

/**
 * Batches that a lane takes at a time: one that runs and three behind it. The main thread is longer away from a lane,
 * decoding a fetch, than one batch of a small model takes.
 */
export const LANE_PLACES = 4

/** What a lane loads. Plain data: it crosses threads and processes. */
export interface ModelSpec {
  /** Steps that name the same identifier share one loaded copy per lane. */
  readonly identifier: string
  readonly kind: 'onnx'
  /** File path (absolute, or relative to the working directory). */
  readonly uri: string
  /** Declared row shapes by tensor name; '' names the only input, or the first output that fits. */
  readonly inputs: Readonly<Record<string, TensorSpec>>
  readonly outputs: Readonly<Record<string, TensorSpec>>
  /** Tried in turn by us. */
  readonly providers: readonly string[]
  readonly intraOpNumThreads: number
}

/** A tensor of the loaded model, in declared order, with the name that the model has for it. */
export interface LoadedTensor {
  /** As declared ('' where the declaration names none). */
  readonly declared: string
  readonly name: string
  readonly dtype: Dtype
  /** Row shape; null where the model leaves it open. Declared and model shape merged: the narrower wins. */
  readonly shape: readonly (number | null)[]
}

export interface LoadedModel {
  /** What predictions are labelled with (I3). */
  readonly modelId: string
  readonly inputs: readonly LoadedTensor[]
  readonly outputs: readonly LoadedTensor[]
  readonly provider: string
  /** Providers that were tried before it, each with its reason. */
  readonly refusedProviders: readonly { readonly provider: string; readonly reason: string }[]
  readonly loadMs: number
  readonly sizeBytes: number
  /** Of the file's bytes, as they were loaded; hexadecimal. */
  readonly sha256: string
}

export interface BatchOutputs {
  readonly modelId: string
  readonly rows: number
  /** In the order of `LoadedModel.outputs`: the rows one behind the other. Valid until the slot is released or runs again. */
  readonly outputs: readonly { readonly data: TensorData; readonly rowShape: readonly number[] }[]
  /** Time inside the model, and from dispatch to its start. */
  readonly computeMs: number
  readonly queueMs: number
}

/**
 * A place for one batch in a lane: shared memory, allocated once and reused. Fill what `prepare` returns, then `run` all of it
 * or any sub-range, as often as needed (bisection and retries copy nothing), then `release`.
 */
export interface BatchSlot {
  /** Room for `rows` rows with these row shapes; one array per model input (an empty string[] to push to, for
   * strings). The arrays still hold what earlier batches left: write every element. */
  prepare(rows: number, rowShapes: readonly (readonly number[])[]): readonly TensorData[]
  /**
   * Runs rows [from, from + rows). Rejects with RunInferenceError: SHAPE_MISMATCH, RESULT_COUNT, INFERENCE_FAILED (the model threw,
   * unclassified), LANE_LOST. One call per slot at a time.
   */
  run(from: number, rows: number): Promise<BatchOutputs>
  release(): void
}

/** A model loaded in one lane. */
export interface LaneModel {
  readonly loaded: LoadedModel
  /** A free slot, or undefined when the lane's LANE_PLACES are taken. Slots are shared by the models of a lane. */
  acquire(): BatchSlot | undefined
  /** The warm-up batch, known good at load: rejects (MODEL_OUTAGE, LANE_LOST) when the lane cannot do its work. */
  runControl(): Promise<void>
  /** Unloads; slots must have been released. */
  unload(): Promise<void>
}

export interface Lane {
  readonly id: number
  /** Places taken, 0 to LANE_PLACES: the first runs, the others wait behind it. */
  readonly occupied: number
  /** Reads the file, creates the session, checks the declared signature, warms up. Rejects MODEL_UNUSABLE. */
  load(spec: ModelSpec): Promise<LaneModel>
  /** How long the call that now runs in native code has been running; 0 when idle. */
  busyMs(): number
  /** Waits for the running call, then ends the worker: never while it is inside native code. */
  close(): Promise<void>
}

export interface ExecutorOptions {
  readonly lanes: number
  /** Rows that a slot is first sized for. */
  readonly maxBatchRows: number
}

export interface Executor {
  readonly lanes: readonly Lane[]
  /** Called when a lane's worker ended by itself; its running calls have been rejected with LANE_LOST. */
  onLaneLost(listener: (lane: Lane, reason: RunInferenceError) => void): void
  close(): Promise<void>
}
