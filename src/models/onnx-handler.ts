import type { PredictionResult } from '../records.ts'
import type { Isolation, Provider, SessionOptions } from './executor.ts'
import { type BareModelHandler, bareModelHandler } from './model-handler.ts'
import type { Dtypes, Row, TensorSpec } from './tensors.ts'
import { masksOf, paddingOf } from './padded.ts'

/** What a function may give for an input tensor: the typed array, or plain numbers where the dtype allows them. */
export type InputValue<D extends keyof Dtypes> = D extends 'int64' | 'string'
  ? Dtypes[D]
  : Dtypes[D] | readonly number[]

/** The example of a model with named inputs. */
export type InputRow<S extends Readonly<Record<string, TensorSpec>>> = {
  readonly [N in keyof S]: InputValue<S[N]['dtype']>
}

type Specs = Readonly<Record<string, TensorSpec>>

interface OnnxSettings {
  /** Path of the .onnx file. */
  readonly model: string
  /** Execution providers, tried in this order; default `['cpu']`. */
  readonly providers?: readonly Provider[]
  /**
   * `preferred` (default): what the first provider refuses goes to the next, with a warning. `required`: only the first will
   * do; without it the instance does not start.
   */
  readonly providerPolicy?: 'required' | 'preferred'
  /** Threads inside one call; default 1: more lanes beat more threads, see docs/architecture.md. */
  readonly intraOpNumThreads?: number
  /** Passed on to onnxruntime; default: its own. */
  readonly sessionOptions?: SessionOptions
  /** Rows of the batches that warm the model up, in turn; default `[2]`. */
  readonly warmUpRows?: readonly number[]
  /**
   * `thread`: a worker thread, the cheapest. `process`: a child process, which can be ended and replaced. Default: `process`
   * where a GPU provider or `timeoutMs` is asked for, else `thread`.
   */
  readonly isolation?: Isolation
  /** One call of the model may take so long; what takes longer is ended with its process, and searched for the guilty row. */
  readonly timeoutMs?: number
}

/** Tensors by name: examples and inferences are records of typed arrays. */
export interface NamedTensors<I extends Specs, O extends Specs> extends OnnxSettings {
  /** Row shapes, without the batch dimension: the types, and the signature that the model file must have. */
  readonly inputs: I
  readonly outputs: O
}

/** One tensor in, one out, by position: examples and inferences are bare typed arrays. */
export interface SingleTensors<I extends TensorSpec, O extends TensorSpec> extends OnnxSettings {
  /** The model's only input. */
  readonly input: I
  /** The model's first output of this dtype. */
  readonly output: O
}

/** Runs an ONNX model with onnxruntime. The file is read, checked against the declaration and warmed up before the first record. */
export function onnx<const I extends Specs, const O extends Specs>(
  settings: NamedTensors<I, O>,
): BareModelHandler<InputRow<I>, PredictionResult<Row<I>, Row<O>>>
export function onnx<I extends TensorSpec, O extends TensorSpec>(
  settings: SingleTensors<I, O>,
): BareModelHandler<InputValue<I['dtype']>, PredictionResult<Dtypes[I['dtype']], Dtypes[O['dtype']]>>
export function onnx(
  settings: NamedTensors<Specs, Specs> | SingleTensors<TensorSpec, TensorSpec>,
): BareModelHandler<never, unknown> {
  const unnamed = 'input' in settings
  const { providers = ['cpu'], timeoutMs } = settings
  const onGpu = providers.some(provider => provider !== 'cpu')
  return bareModelHandler<never, unknown>({
    model: Object.freeze({
      kind: 'onnx',
      uri: settings.model,
      inputs: unnamed ? { '': plainSpec(settings.input) } : mapSpecs(settings.inputs),
      outputs: unnamed ? { '': plainSpec(settings.output) } : mapSpecs(settings.outputs),
      unnamed,
      providers,
      providerPolicy: settings.providerPolicy ?? 'preferred',
      intraOpNumThreads: settings.intraOpNumThreads ?? 1,
      sessionOptions: settings.sessionOptions ?? {},
      warmUpRows: settings.warmUpRows ?? [2],
      isolation: settings.isolation ?? (onGpu || timeoutMs !== undefined ? 'process' : 'thread'),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }),
  })
}

function mapSpecs(specs: Specs): Specs {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, plainSpec(spec)]))
}

/** A tensor declaration may be a codec too; what crosses to a lane is plain data. */
function plainSpec(spec: TensorSpec): TensorSpec {
  return { dtype: spec.dtype, shape: [...spec.shape] }
}
  const padding = paddingOf('input' in settings ? { '': settings.input } : settings.inputs)
      ...(padding ? { padding, masks: masksOf(padding) } : {}),
