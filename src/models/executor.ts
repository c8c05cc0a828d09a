/**
 * The port between the main thread, which never runs a model (I6), and lanes, which do nothing else. One contract suite
 * (`test/contract/executor.contract.ts`) for every adapter: thread, child process, in-thread (test driver).
 */
import type { RunInferenceError } from '../errors.ts'
import type { EnvVars } from './env-vars.ts'
import type { SpareLanes } from './prepared-model.ts'
import type { Dtype, TensorData, TensorSpec } from './tensors.ts'

/**
 * Batches that a lane takes at a time: one that runs and three behind it. The main thread is longer away from a lane,
 * decoding a fetch, than one batch of a small model takes.
 */
export const LANE_PLACES = 4

/** How long closing waits for one call at most when the application ends: less than what that gives itself (lifecycle.ts). */
export const LAST_CLOSE_MS = 4_000

/** What a lane loads. Plain data: it crosses threads and processes. */
export type ModelSpec = OnnxSpec | CustomSpec

interface SpecBase {
  /** Steps that name the same identifier share one loaded copy per lane. */
  readonly identifier: string
  /** What predictions are labelled with: for ONNX models the file path (absolute, or relative to the working directory). */
  readonly uri: string
  /** Where the bytes are, if not at `uri`: a fetched model has a local file. A handler that a user wrote is given this path. */
  readonly file?: string
  /** The lane loads no other bytes (MODEL_UNUSABLE); as `LoadedModel.sha256`. */
  readonly sha256?: string
  /** Declared row shapes by tensor name; '' names the only input, or the first output that fits. */
  readonly inputs: Readonly<Record<string, TensorSpec>>
  readonly outputs: Readonly<Record<string, TensorSpec>>
  /** Tried in turn by us. */
  readonly providers: readonly Provider[]
  /** Which kind of lane loads it. */
  readonly isolation: Isolation
  /** How long one call may take before it is ended (`process` only); undefined: until the lane counts as stuck. */
  readonly timeoutMs?: number
  /** The environment of its process has these. */
  readonly envVars?: EnvVars
}

export interface OnnxSpec extends SpecBase {
  readonly kind: 'onnx'
  /** Inputs of the model that we write, not the user: [rows, length], 1 where a padded input has an element, else 0. */
  readonly masks?: readonly string[]
  /** Inputs of the model that no row feeds, the same in every call (the step's inferenceArgs). */
  readonly inferenceArgs?: Readonly<Record<string, ExtraInput>>
  /** `required`: only the first of `providers` will do. `preferred`: the next is tried, with a warning. */
  readonly providerPolicy: 'required' | 'preferred'
  readonly intraOpNumThreads: number
  /** Session options of onnxruntime that are passed on as they stand. */
  readonly sessionOptions: SessionOptions
  /** Rows of the batches of zeros that are run before the model is ready, in turn; the first, of two at least, is the control batch. */
  readonly warmUpRows: readonly number[]
}

/** A tensor with its batch dimension, if it has one; elements are texts, so that all numbers survive JSON. */
export interface ExtraInput {
  readonly shape: readonly number[]
  readonly elements: readonly string[]
}

/** A handler that a user wrote: one input and one output of dtype `value`, whose rows are examples and results as they are. */
export interface CustomSpec extends SpecBase {
  readonly kind: 'custom'
  readonly name: string
  /** Where a lane finds the handler; undefined until the topology is opened. */
  readonly place: HandlerPlace | undefined
}

/** A handler inside a topology module, which a lane imports again. */
export interface HandlerPlace {
  readonly module: ModuleRef | undefined
  /** Fingerprint of the graph: both sides must have built the same. */
  readonly digest: string
  readonly step: string
  readonly cohort: number
}

/** How a topology was made. Plain data. */
export interface ModuleRef {
  readonly file: string
  readonly parameters: Readonly<Record<string, string | true>>
}

/** Execution providers that can be asked for. */
export const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu'] as const
export type Provider = (typeof PROVIDERS)[number]

/** What a lane is made of: a worker thread of this process, or a child process that can be ended and replaced. */
export type Isolation = 'thread' | 'process'

/** A part of onnxruntime's session options, by its own names. */
export interface SessionOptions {
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all'
  readonly enableCpuMemArena?: boolean
  readonly enableMemPattern?: boolean
  readonly executionMode?: 'sequential' | 'parallel'
  readonly interOpNumThreads?: number
  /** Configuration entries by onnxruntime's own keys, e.g. `{ 'session.use_env_allocators': '1' }`. */
  readonly config?: Readonly<Record<string, string>>
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
  readonly provider: Provider
  /** The provider lacks operators of the model, and cpu runs these, be it one or all of them. */
  readonly partlyOnCpu: boolean
  /** Rows of every call, where the model's batch dimension is fixed: other batches are split and padded in the lane. */
  readonly fixedRows: number | undefined
  /** Providers that were tried before it, each with its reason. */
  readonly refusedProviders: readonly { readonly provider: string; readonly reason: string }[]
  /** True: it has no control batch, and nothing tells its outages from bad rows. */
  readonly withoutControl?: boolean
  readonly loadMs: number
  /** Of the file and of the files of weights beside it. */
  readonly sizeBytes: number
  /** Of the file's bytes, as they were loaded, followed by those of its files of weights in the order of their names; hexadecimal. */
  readonly sha256: string
}

/** What is known of a model's tensors before or after it was loaded. */
export type Signature = Pick<LoadedModel, 'inputs' | 'outputs'>

export interface BatchOutputs {
  readonly modelId: string
  readonly rows: number
  /**
   * In the order of `LoadedModel.outputs`: the rows one behind the other. Valid until the slot is released or runs again;
   * results of handlers that users wrote are the reader's own.
   */
  readonly outputs: readonly { readonly data: TensorData; readonly rowShape: readonly number[] }[]
  /** Time inside the model, and from dispatch to its start. */
  readonly computeMs: number
  readonly queueMs: number
  /** Bytes of the batch, as a handler that a user wrote counts them (getNumBytes), else packed. */
  readonly numBytes?: number
}

/**
 * A place for one batch in a lane: shared memory, allocated once and reused. Fill what `prepare` returns, then `run` all of it
 * or any sub-range, as often as needed (bisection and retries copy nothing), then `release`.
 */
export interface BatchSlot {
  /** Room for `rows` rows with these row shapes; one array per model input (an empty one to push to, for
   * strings and values). The arrays still hold what earlier batches left: write every element. Throws DEVICE_MEMORY. */
  prepare(rows: number, rowShapes: readonly (readonly number[])[]): readonly TensorData[]
  /**
   * Runs rows [from, from + rows). One call per slot at a time. Rejects with RunInferenceError: SHAPE_MISMATCH, RESULT_COUNT,
   * INFERENCE_FAILED (the model threw, unclassified), DEVICE_MEMORY (too many rows for the device), TIMEOUT and WORKER_LOST (this
   * very call ended its worker, which has been replaced: the slot can be run again), LANE_LOST (the lane cannot be brought back
   * for now; nothing is said of the rows).
   */
  run(from: number, rows: number): Promise<BatchOutputs>
  release(): void
}

/** A model loaded in one lane. */
export interface LaneModel {
  /** As it was loaded last: a worker that takes the place of a lost one may find another provider. */
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
  /** The lane among the first ones whose place it has, by number: lanes of one seat never run batches at the same time. */
  readonly seat: number
  /** Models of this isolation are loaded here; `any`: of either (the test driver). */
  readonly isolation: Isolation | 'any'
  /** Of a process: what its environment has beside ours. */
  readonly envVars?: EnvVars
  /** Places taken, 0 to LANE_PLACES: the first runs, the others wait behind it. */
  readonly occupied: number
  /**
   * Reads the file, creates the session, checks the declared signature, warms up. Rejects MODEL_UNUSABLE. A worker that can be ended
   * has `timeoutMs` for it, stuckMs at most and by default; then it rejects LANE_LOST.
   */
  load(spec: ModelSpec, timeoutMs?: number): Promise<LaneModel>
  /** How long the call that now runs in native code has been running; 0 when idle. */
  busyMs(): number
  /** How often its worker was lost and replaced. */
  readonly restarts: LaneRestarts
  /** Why its worker cannot be brought back for now (LANE_LOST); undefined when all is well. It is tried again and again. */
  readonly trouble: RunInferenceError | undefined
  /**
   * Waits for the running call, then ends the worker. A call that takes too long is not waited for: a process is killed, and a thread
   * ended where it waits for something, or after `stuckMs` where it is in JavaScript; inside native code it goes on.
   * `soon`: the application ends, and no call is waited for longer than LAST_CLOSE_MS; of what hangs then, `hasEnded` is false.
   */
  close(soon?: 'soon'): Promise<void>
  /** False while there is a worker. */
  readonly hasEnded: boolean
}

/** By why: the worker ended by itself, or was ended because a call took too long. */
export interface LaneRestarts {
  readonly crash: number
  readonly timeout: number
}

export interface ExecutorOptions {
  readonly lanes: number
  /** Rows that a slot is first sized for. */
  readonly maxBatchRows: number
}

export interface Executor extends SpareLanes {
  /** Those that are given batches. One list that changes: whoever keeps it sees lanes come and go. */
  readonly lanes: readonly Lane[]
  /**
   * Closes all lanes, spare ones too, and waits for none that hangs. Threads that do so in native code are in `leaving` then: this
   * process can only end by SIGKILL.
   */
  close(): Promise<void>
}
