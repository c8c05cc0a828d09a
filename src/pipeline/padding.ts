/**
 * Rows of different lengths in one batch: it is padded to its longest row, and the model's mask says which positions are real.
 *
 * G1. Every position of every padded input and of every mask is written: slots hold what earlier batches left.
 * G2. A mask is 1 where the row has an element, 0 where it was padded.
 * G3. A row's result does not see how the batch was padded, as long as the model heeds its mask.
 */
import { RunInferenceError } from '../errors.ts'
import type { LoadedTensor } from '../models/executor.ts'
import type { OnnxModel } from '../models/model-handler.ts'
import { BYTES_PER_ELEMENT, elementsOf, type NumericDtype, type TensorData } from '../models/tensors.ts'

/** An input that is padded: its row is `outer` pieces of `length` × `inner` elements. */
export interface PaddedInput {
  /** Position among the model's inputs. */
  readonly index: number
  /** Which dimension is the open one. */
  readonly axis: number
  readonly outer: number
  readonly inner: number
  readonly with: number | bigint
}

export interface PaddingPlan {
  readonly inputs: readonly PaddedInput[]
  /** Positions of the masks among the model's inputs. */
  readonly masks: readonly number[]
  readonly multipleOf: number
  /** Set where the model fixes the length: every batch has it then. */
  readonly fixedLength: number | undefined
  /** Bytes of all padded inputs and masks of one row, for each step of its length. */
  readonly bytesPerStep: number
}

/** The plan for a loaded model; undefined when nothing of it is padded. Throws MODEL_UNUSABLE. */
export function planPadding(model: OnnxModel, loaded: readonly LoadedTensor[]): PaddingPlan | undefined {
  const { padding, masks = [] } = model
  if (!padding) return undefined
  const inputs = Object.entries(padding).map(([declared, { with: fill }]): PaddedInput => {
    const index = loaded.findIndex(tensor => tensor.declared === declared)
    const { shape } = loaded[index]!
    const axis = model.inputs[declared]!.shape.indexOf(null)
    return {
      index,
      axis,
      outer: elementsOf(shape.slice(0, axis))!,
      inner: elementsOf(shape.slice(axis + 1))!,
      with: fill,
    }
  })
  const maskPositions = masks.map(name => loaded.findIndex(tensor => tensor.name === name))
  const fixed = new Set([
    ...inputs.map(({ index, axis }) => loaded[index]!.shape[axis]!),
    ...maskPositions.map(index => loaded[index]!.shape[0]!),
  ])
  fixed.delete(null as never)
  if (fixed.size > 1) {
    throw new RunInferenceError(
      'MODEL_UNUSABLE',
      `${model.uri}: its padded inputs and masks have different fixed lengths, ${[...fixed].join(' and ')}. ` +
        'Declare as padded only inputs of one length.',
    )
  }
  const bytes = (index: number) => BYTES_PER_ELEMENT[loaded[index]!.dtype as NumericDtype]
  return {
    inputs,
    masks: maskPositions,
    multipleOf: Object.values(padding)[0]!.multipleOf,
    fixedLength: [...fixed][0],
    bytesPerStep:
      inputs.reduce((sum, { index, outer, inner }) => sum + outer * inner * bytes(index), 0) +
      maskPositions.reduce((sum, index) => sum + bytes(index), 0),
  }
}

/** The length to which a batch is padded whose longest row has this one. */
export function paddedLength({ fixedLength, multipleOf }: PaddingPlan, longest: number): number {
  return fixedLength ?? Math.ceil(longest / multipleOf) * multipleOf
}

/** The row shapes of a batch of this padded length: those of the run, with the open dimensions filled in. */
export function shapesAt(
  { inputs, masks }: PaddingPlan,
  shapes: readonly (readonly (number | null)[])[],
  length: number,
): readonly (readonly number[])[] {
  const filled = shapes.map(shape => [...shape])
  for (const { index, axis } of inputs) filled[index]![axis] = length
  for (const index of masks) filled[index] = [length]
  return filled as number[][]
}

/** Writes one row of a padded input, from `start` of `source`, as row `at` of the batch. */
export function writePadded(
  { outer, inner, with: fill }: PaddedInput,
  source: TensorData,
  start: number,
  length: number,
  target: TensorData,
  at: number,
  padded: number,
): void {
  const from = source as Float32Array
  const into = target as Float32Array
  for (let piece = 0; piece < outer; piece++) {
    const read = start + piece * length * inner
    const write = (at * outer + piece) * padded * inner
    into.set(from.subarray(read, read + length * inner), write)
    into.fill(fill as number, write + length * inner, write + padded * inner)
  }
}

/** Writes the mask of one row, as row `at` of the batch. */
export function writeMask(target: TensorData, at: number, length: number, padded: number): void {
  const isWide = target instanceof BigInt64Array
  const into = target as Float32Array
  into.fill((isWide ? 1n : 1) as number, at * padded, at * padded + length)
  into.fill((isWide ? 0n : 0) as number, at * padded + length, (at + 1) * padded)
}
