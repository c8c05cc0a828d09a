import type { ModelSpec } from './executor.ts'

/** A user function before or after a model; its types are checked where it is added. */
export type UserFunction = (value: never) => unknown

/** What a handler runs: declared once, loaded by lanes. Its `uri` is also what predictions are labelled with. */
export interface OnnxModel extends Omit<ModelSpec, 'identifier'> {
  /** True when examples and inferences are bare typed arrays: one unnamed input, one unnamed output. */
  readonly unnamed: boolean
  /** Inputs that are padded to the longest row of a batch, by declared name. */
  readonly padding?: Readonly<Record<string, Padding>>
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

/** The data behind a handler; the engine reads this and nothing else. */
export interface HandlerDefinition {
  readonly model: OnnxModel
  /** Examples are keyed elements, and so are results. */
  readonly keyed: boolean
  /** In execution order: the last one added runs first (Beam). */
  readonly preprocess: readonly UserFunction[]
  /** In execution order: the first one added runs first (Beam). */
  readonly postprocess: readonly UserFunction[]
}

/**
 * Loads a model and runs batches through it (Beam: ModelHandler). `In` is contravariant, so that a handler is checked
 * against the stream that it meets. `withPreprocess` and `withPostprocess` return a new handler.
 */
export interface ModelHandler<in In, out Out> {
  readonly definition: HandlerDefinition
  /** Types only; never called. */
  readonly accepts?: (example: In) => void
  /** Types only; never called. */
  readonly gives?: () => Out
  /** Adds a function before the model; the last one added runs first. State the input type: `(r: Digit) => …`. */
  withPreprocess<New>(fn: (value: New) => In): ModelHandler<New, Out>
  /** Adds a function after the model; the first one added runs first. */
  withPostprocess<New>(fn: (result: Out) => New): ModelHandler<In, New>
}

declare const bare: unique symbol

/** A handler without functions: the only kind that `keyed` takes, as in Beam. */
export interface BareModelHandler<in In, out Out> extends ModelHandler<In, Out> {
  /** Types only. */
  readonly [bare]: true
}

/** Builds a handler value around its definition. */
export function modelHandler<In, Out>(definition: HandlerDefinition): ModelHandler<In, Out> {
  return Object.freeze<ModelHandler<In, Out>>({
    definition: Object.freeze(definition),
    withPreprocess: fn => modelHandler({ ...definition, preprocess: [fn as UserFunction, ...definition.preprocess] }),
    withPostprocess: fn =>
      modelHandler({ ...definition, postprocess: [...definition.postprocess, fn as UserFunction] }),
  })
}

/** The same for a handler that has no functions yet. */
export function bareModelHandler<In, Out>(
  definition: Omit<HandlerDefinition, 'keyed' | 'preprocess' | 'postprocess'>,
): BareModelHandler<In, Out> {
  // The mark is for the compiler alone; at run time the empty lists of functions say the same.
  return modelHandler<In, Out>({ ...definition, keyed: false, preprocess: [], postprocess: [] }) as BareModelHandler<
    In,
    Out
  >
}

/** What lanes load for a model: equal models are one copy. */
export function modelSpecOf({ unnamed: _, padding: __, ...spec }: OnnxModel): ModelSpec {
  return { identifier: JSON.stringify(spec), ...spec }
}
