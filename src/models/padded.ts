import type { Padding } from './model-handler.ts'
import type { NumericDtype, TensorSpec } from './tensors.ts'

export interface PaddedOptions<D extends NumericDtype> {
  /** The element that fills rows up: what the model was trained with, usually 0 (`0n` for int64). */
  readonly with: D extends 'int64' ? bigint : number
  /**
   * The model's input [batch, length] that says which positions are real. It is written for you, 1 and 0 in the model's own
   * number type, and is no part of examples. Default: the model has none.
   */
  readonly mask?: string
  /** Batches are padded to a multiple of this, which some devices like; default 1. */
  readonly multipleOf?: number
}

/** A tensor whose rows may differ in length inside one batch. */
export interface PaddedTensor<D extends NumericDtype> extends TensorSpec<D> {
  readonly padding: Padding
}

/**
 * Declares that a batch is padded to its longest row, so that rows of different lengths share batches:
 * `padded(int64(null), { with: 0n, mask: 'attention_mask' })`. The tensor has one open dimension; padded inputs of one model
 * have the same length in each row.
 */
export function padded<D extends NumericDtype>(tensor: TensorSpec<D>, options: PaddedOptions<D>): PaddedTensor<D> {
  const { with: fill, mask, multipleOf = 1 } = options
  return Object.freeze({ dtype: tensor.dtype, shape: tensor.shape, padding: { with: fill, mask, multipleOf } })
}

/** How the inputs are padded that are; undefined when none is. */
export function paddingOf(inputs: Readonly<Record<string, TensorSpec>>): Readonly<Record<string, Padding>> | undefined {
  const entries = Object.entries(inputs).flatMap(([name, spec]) =>
    'padding' in spec ? [[name, (spec as PaddedTensor<NumericDtype>).padding] as const] : [],
  )
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** The names of the masks, each once. */
export function masksOf(padding: Readonly<Record<string, Padding>>): string[] {
  return [...new Set(Object.values(padding).flatMap(({ mask }) => mask ?? []))]
}
