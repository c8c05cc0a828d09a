import { type Problem, problemsError, show, unknownNames } from '../problem.ts'
import type { PredictionResult } from '../records.ts'
import type { Isolation, Provider, SessionOptions } from './executor.ts'
import { type BareModelHandler, bareHandlerOf } from './model-handler.ts'
import { masksOf, paddingOf } from './padded.ts'
import type { Dtypes, Row, TensorSpec } from './tensors.ts'

/**
 * What a function may give for a row of an input tensor: the typed array or a plain list, for float types any list of numbers
 * (they are rounded), and for rows of one string the bare string.
 */
export type InputValue<D extends keyof Dtypes> = D extends 'string'
  ? string | readonly string[]
  : D extends 'int64'
    ? BigInt64Array | readonly bigint[]
    : D extends 'float16' | 'float32' | 'float64'
      ? Float16Array | Float32Array | Float64Array | readonly number[]
      : Dtypes[D] | readonly number[]

/** The example of a model with named inputs. */
export type InputRow<S extends Readonly<Record<string, TensorSpec>>> = {
  readonly [N in keyof S]: InputValue<S[N]['dtype']>
}

type Specs = Readonly<Record<string, TensorSpec>>

interface OnnxSettings {
  /**
   * Path of the .onnx file. Files of weights that it names are read from its folder. May be left out where the step has
   * `modelMetadata: true`: the instance then waits, before it joins its group, until a model is published.
   */
  readonly model?: string
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
  /**
   * Rows of the batches of zeros that warm the model up, in turn; default `[2]`. The first is also the control batch, with two
   * rows at least. A model with a fixed batch dimension is warmed up with that.
   */
  readonly warmUpRows?: readonly number[]
  /**
   * `thread`: a worker thread, the cheapest. `process`: a child process, which can be ended and replaced. Default: `process`
   * where a GPU provider or `timeoutMs` is asked for, else `thread`.
   */
  readonly isolation?: Isolation
  /** One call of the model may take so long; what takes longer is ended with its process, and searched for the guilty row. */
  readonly timeoutMs?: number
  /** Lanes that hold the model; default: all of its kind. On a GPU there is one. */
  readonly modelCopies?: number
  /** Set in the process before the model is loaded; handlers that disagree need `isolation: 'process'`. */
  readonly envVars?: Readonly<Record<string, string>>
}

/** Tensors by name: examples and inferences are records of typed arrays. */
export interface NamedTensors<I extends Specs, O extends Specs> extends OnnxSettings {
  /** Row shapes, without the batch dimension: the types, and the signature that the model file must have. */
  readonly inputs: I
  /** Those of the model's outputs that are wanted; the others are not fetched. */
  readonly outputs: O
}

/** One tensor in, one out, by position: examples and inferences are bare typed arrays. */
export interface SingleTensors<I extends TensorSpec, O extends TensorSpec> extends OnnxSettings {
  /** The model's only input. */
  readonly input: I
  /** The model's first output of this dtype. */
  readonly output: O
}

/** Every setting; the compiler holds the list against the types. */
const SETTINGS: Readonly<Record<keyof NamedTensors<Specs, Specs> | 'input' | 'output', true>> = {
  model: true,
  inputs: true,
  outputs: true,
  input: true,
  output: true,
  providers: true,
  providerPolicy: true,
  intraOpNumThreads: true,
  sessionOptions: true,
  warmUpRows: true,
  isolation: true,
  timeoutMs: true,
  modelCopies: true,
  envVars: true,
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
  const { unnamed, inputs, outputs } = declaredTensors(settings)
  const { providers = ['cpu'], timeoutMs, modelCopies, envVars } = settings
  const padding = paddingOf('input' in settings ? { '': settings.input } : settings.inputs)
  const onGpu = providers.some(provider => provider !== 'cpu')
  return bareHandlerOf<never, unknown>(
    {
      kind: 'onnx',
      uri: settings.model ?? '',
      inputs,
      outputs,
      unnamed,
      providers,
      providerPolicy: settings.providerPolicy ?? 'preferred',
      intraOpNumThreads: settings.intraOpNumThreads ?? 1,
      sessionOptions: settings.sessionOptions ?? {},
      warmUpRows: settings.warmUpRows ?? [2],
      isolation: settings.isolation ?? (onGpu || timeoutMs !== undefined ? 'process' : 'thread'),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(padding ? { padding, masks: masksOf(padding) } : {}),
      ...(modelCopies === undefined ? {} : { modelCopies }),
      ...(envVars === undefined ? {} : { envVars }),
    },
    { metricsNamespace: 'BeamML_Onnx' },
  )
}

/** Throws TOPOLOGY_INVALID for what no handler can be made of: the compiler says the same, but not to JavaScript. */
function declaredTensors(settings: NamedTensors<Specs, Specs> | SingleTensors<TensorSpec, TensorSpec>) {
  const where = settings.model === undefined ? 'onnx({ … })' : `onnx({ model: "${settings.model}" })`
  const problems = unknownNames(where, 'setting', settings, Object.keys(SETTINGS))
  const unnamed = 'input' in settings
  const inputs = plainSpecs(where, 'input', unnamed ? { '': settings.input } : settings.inputs, problems)
  const outputs = plainSpecs(where, 'output', unnamed ? { '': settings.output } : settings.outputs, problems)
  if (problems.length > 0) throw problemsError('TOPOLOGY_INVALID', `${where} has`, problems)
  return { unnamed, inputs, outputs }
}

/** Tensor declarations may be codecs too; what crosses to a lane is plain data. */
function plainSpecs(where: string, side: 'input' | 'output', specs: Partial<Specs> | undefined, problems: Problem[]) {
  const plain: Record<string, TensorSpec> = {}
  for (const [name, spec] of Object.entries(specs ?? { '': undefined })) {
    if (typeof spec?.dtype === 'string' && Array.isArray(spec.shape)) {
      plain[name] = { dtype: spec.dtype, shape: [...spec.shape] }
    } else {
      const what = `${name === '' ? side : `${side}s.${name}`} declares no tensor`
      const remedy = 'Give a tensor declaration, with its parentheses'
      problems.push({
        where,
        what,
        expected: 'float32(64), for example',
        got: typeof spec === 'function' ? 'a function' : show(spec),
        remedy,
      })
    }
  }
  return plain
}
