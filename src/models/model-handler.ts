import type { BatchOptions } from '../graph.ts'
import type { CustomModel, InferenceArgs } from './custom-handler.ts'
import type { ModelSpec, OnnxSpec } from './executor.ts'
import { extraInputsOf } from './extra-inputs.ts'
import type { ResourceHints } from './resource-hints.ts'

/** A user function before or after a model; its types are checked where it is added. */
export type UserFunction = (value: never) => unknown

/** How an asynchronous function is awaited. */
export interface AsyncOptions {
  /** Calls that may be under way at one time, in one process. */
  readonly concurrency: number
  /** What takes longer is a dead letter; default: the step's `functionTimeoutMs`. */
  readonly timeoutMs?: number
}

/** A function around a model; asynchronous where `concurrency` is set. */
export interface HandlerFunction extends Partial<AsyncOptions> {
  readonly fn: UserFunction
}

/** What an ONNX handler runs: declared once, loaded by lanes. Its `uri` is also what predictions are labelled with. */
export interface OnnxModel extends Omit<OnnxSpec, 'identifier'> {
  /** True when examples and inferences are bare typed arrays: one unnamed input, one unnamed output. */
  readonly unnamed: boolean
  /** Inputs that are padded to the longest row of a batch, by declared name. */
  readonly padding?: Readonly<Record<string, Padding>>
  /** Lanes that hold it; undefined: all of its kind. */
  readonly modelCopies?: number
}

/** How an input is padded. */
export interface Padding {
  /** The element that fills. */
  readonly with: number | bigint
  /** The model's input that says which positions are real. */
  readonly mask: string | undefined
  /** Batches are padded to a multiple of this. */
  readonly multipleOf: number
}

/** What a handler runs. */
export type HandlerModel = OnnxModel | CustomModel

/** Keys that share one model. */
export interface Cohort {
  /** Undefined: every element, keyed or not. */
  readonly keys: readonly unknown[] | undefined
  readonly model: HandlerModel
  /** What the handler of a mapping asks for and a per-key handler has none of, for a warning (Beam: the same). */
  readonly ignored?: readonly string[]
}

/** The data behind a handler; the engine reads this and nothing else. */
export interface HandlerDefinition {
  /** One without keys, or one for each mapping of a per-key handler. */
  readonly cohorts: readonly [Cohort, ...Cohort[]]
  /** Examples are keyed elements, and so are results; `maybe`: each element decides for itself. */
  readonly keyed: boolean | 'maybe'
  /** How many models of a per-key handler a lane holds at one time. */
  readonly limits: ModelLimits
  /** False: elements are batches already, and their results leave one by one (Beam: with_no_batching). */
  readonly batching: boolean
  /** In execution order: the last one added runs first (Beam). */
  readonly preprocess: readonly HandlerFunction[]
  /** In execution order: the first one added runs first (Beam). */
  readonly postprocess: readonly HandlerFunction[]
  /** Defaults for the step's. */
  readonly batch: BatchOptions<never>
  readonly metricsNamespace: string | undefined
  readonly resourceHints: ResourceHints
}

/** The least recently used models leave first. */
export interface ModelLimits {
  /** Models that one lane holds at one time (Beam: max_models_per_worker_hint). Default: no limit. */
  readonly maxModelsPerWorker?: number
  /** Bytes of model files that one lane holds at one time. Default: no limit. */
  readonly maxBytesPerWorker?: number
}

/**
 * Loads a model and runs batches through it (Beam: ModelHandler). `In` is contravariant, so that a handler is checked
 * against the stream that it meets. Every `with…` returns a new handler.
 */
export interface ModelHandler<in In, out Out> {
  readonly definition: HandlerDefinition
  /** Types only; never called. */
  readonly accepts?: (example: In) => void
  /** Types only; never called. */
  readonly gives?: () => Out
  /** Adds a function before the model; the last one added runs first. State the input type: `(r: Digit) => …`. */
  withPreprocess<New>(fn: (value: New) => Promise<In>, options: AsyncOptions): ModelHandler<New, Out>
  withPreprocess<New>(fn: (value: New) => In): ModelHandler<New, Out>
  /** Adds a function after the model; the first one added runs first. */
  withPostprocess<New>(fn: (result: Out) => Promise<New>, options: AsyncOptions): ModelHandler<In, New>
  withPostprocess<New>(fn: (result: Out) => New): ModelHandler<In, New>
  /** Elements are batches already: one call of the model for each, whose results leave one by one (Beam: with_no_batching). */
  withNoBatching(): ModelHandler<readonly In[], Out>
  /** What the machine must have; a step's own hints override these, hint by hint. */
  withResourceHints(hints: ResourceHints): this
}

declare const bare: unique symbol

/** A handler without functions: the only kind that `keyed` takes, as in Beam. */
export interface BareModelHandler<in In, out Out> extends ModelHandler<In, Out> {
  /** Types only. */
  readonly [bare]: true
}

/** Builds a handler value around its definition. */
export function handlerOf<In, Out>(definition: HandlerDefinition): ModelHandler<In, Out> {
  const { preprocess, postprocess, resourceHints } = definition
  const handler = {
    definition: Object.freeze(definition),
    withPreprocess: (fn: UserFunction, options?: AsyncOptions) =>
      handlerOf({ ...definition, preprocess: [{ fn, ...options }, ...preprocess] }),
    withPostprocess: (fn: UserFunction, options?: AsyncOptions) =>
      handlerOf({ ...definition, postprocess: [...postprocess, { fn, ...options }] }),
    withNoBatching: () => handlerOf({ ...definition, batching: false }),
    withResourceHints: (hints: ResourceHints) =>
      handlerOf({ ...definition, resourceHints: { ...resourceHints, ...hints } }),
  }
  return Object.freeze(handler) as unknown as ModelHandler<In, Out>
}

/** The same for a handler of one model that has no functions yet. */
export function bareHandlerOf<In, Out>(
  model: HandlerModel,
  rest: Partial<Pick<HandlerDefinition, 'batch' | 'metricsNamespace' | 'resourceHints'>> = {},
): BareModelHandler<In, Out> {
  const { batch = {}, metricsNamespace, resourceHints = {} } = rest
  // The mark is for the compiler alone; at run time the empty lists of functions say the same.
  return handlerOf<In, Out>({
    cohorts: [{ keys: undefined, model: Object.freeze(model) }],
    keyed: false,
    limits: {},
    batching: true,
    preprocess: [],
    postprocess: [],
    batch,
    metricsNamespace,
    resourceHints,
  }) as BareModelHandler<In, Out>
}

/** Every model of a handler. */
export function modelsOf({ cohorts }: HandlerDefinition): readonly HandlerModel[] {
  return cohorts.map(({ model }) => model)
}

/**
 * What lanes load for a model: equal specs are one copy. `inferenceArgs`: of the step, for an ONNX model; throws MODEL_UNUSABLE
 * where no tensors can be made of them.
 */
export function modelSpecOf(model: HandlerModel, inferenceArgs: InferenceArgs = {}): ModelSpec {
  if (model.kind === 'custom') return model.spec
  const { unnamed: _, padding: __, modelCopies: ___, ...own } = model
  const hasArgs = Object.keys(inferenceArgs).length > 0
  const spec = hasArgs ? { ...own, inferenceArgs: extraInputsOf(inferenceArgs) } : own
  return { identifier: JSON.stringify(spec), ...spec }
}
