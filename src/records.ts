/** The values that flow between functions: keyed elements and predictions. */

const brand: unique symbol = Symbol.for('kafka-run-inference/kv')

/** A keyed element. Branded, so that an array or a user's own `{ key, value }` is never taken for one. */
export class KV<out K, out V> {
  /** On the prototype; declared so that no other object passes for a keyed element. */
  declare readonly [brand]: true
  readonly key: K
  readonly value: V

  private constructor(key: K, value: V) {
    this.key = key
    this.value = value
  }

  /** Use `kv(key, value)`. */
  static of<K, V>(key: K, value: V): KV<K, V> {
    return new KV(key, value)
  }
}
Object.defineProperty(KV.prototype, brand, { value: true })

/** Makes a keyed element. */
export function kv<K, V>(key: K, value: V): KV<K, V> {
  return KV.of(key, value)
}

/** True for a keyed element, also one that another copy of this package made. */
export function isKV(value: unknown): value is KV<unknown, unknown> {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true
}

/**
 * What a model says of one example (Beam: PredictionResult). `modelId` is the model that really produced it (I3).
 * Tensors inside are views of memory that is used again: copy what you keep.
 */
export interface PredictionResult<out E, out I> {
  readonly example: E
  readonly inference: I
  readonly modelId: string
}

/** A prediction of your own handler. `modelId`: what `loadModel` was given, or what the model calls itself. */
export function predictionResult<E, I>(example: E, inference: I, modelId: string): PredictionResult<E, I> {
  return { example, inference, modelId }
}

/** A dead letter as an element of a stream; its record is in the dead-letter topic, whole. */
export interface DeadLetter<out T = unknown> {
  /** What the failing function or model received (Beam: the element of the dead letter). */
  readonly element: T
  readonly step: string
  readonly stage: 'preprocess' | 'inference' | 'postprocess'
  /** Of the function, in execution order; -1 where none is concerned. */
  readonly index: number
  readonly code: string
  readonly errorType: string
  readonly message: string
  /** The model that refused it, if one did. */
  readonly modelId: string | undefined
}
