/** Inputs of a model that no row feeds: the step's `inferenceArgs`, the same tensors in every call (as in Beam's ONNX handler). */
import { RunInferenceError } from '../errors.ts'
import { show } from '../problem.ts'
import { isFloat, putCell } from './cells.ts'
import type { InferenceArgs } from './custom-handler.ts'
import type { ExtraInput } from './executor.ts'
import type { ModelTensor } from './model-signature.ts'
import { ARRAYS, type Dtype, type NumericDtype, type TensorData } from './tensors.ts'

/** An argument as the model takes it. */
export interface ExtraTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  readonly data: TensorData
}

/**
 * Arguments as plain data: numbers, texts, and lists or typed arrays of them. Throws MODEL_UNUSABLE for anything else, and for
 * lists that are no tensor.
 */
export function extraInputsOf(args: InferenceArgs): Readonly<Record<string, ExtraInput>> {
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      const elements: string[] = []
      const shape = flatten(value, elements)
      if (shape) return [name, { shape, elements }]
      const wanted = 'a number, a text, or a list of them whose parts are all of one length'
      throw new RunInferenceError('MODEL_UNUSABLE', `inferenceArgs.${name}: expected ${wanted}, got ${show(value)}`)
    }),
  )
}

/** The shape, or undefined for what is no tensor. */
function flatten(value: unknown, into: string[]): number[] | undefined {
  if (['number', 'bigint', 'string', 'boolean'].includes(typeof value)) {
    // As texts, any number comes through JSON.
    into.push(String(typeof value === 'boolean' ? Number(value) : value))
    return []
  }
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && 'length' in value)) return undefined
  const shapes = Array.from(value as ArrayLike<unknown>, each => flatten(each, into))
  const [first = []] = shapes
  return shapes.every(shape => shape?.join() === first.join()) ? [shapes.length, ...first] : undefined
}

/** The arguments as tensors of the model. What does not fit goes to `problems`. */
export function matchExtras(
  args: Readonly<Record<string, ExtraInput>>,
  rowInputs: readonly string[],
  model: readonly ModelTensor[],
  problems: string[],
): ExtraTensor[] {
  return Object.entries(args).flatMap(([name, given]) => {
    const input = model.find(each => each.name === name)
    const tensor = input && tensorOf(input, given)
    if (!input)
      problems.push(
        `inferenceArgs.${name}: the model has no such input, only ${model.map(each => each.name).join(', ')}`,
      )
    else if (rowInputs.includes(name)) problems.push(`inferenceArgs.${name}: rows feed this input already`)
    else if (!tensor)
      problems.push(`inferenceArgs.${name}: expected ${input.dtype}[${input.shape.join(',')}], got ${showGiven(given)}`)
    else return [tensor]
    return []
  })
}

function tensorOf({ name, dtype, shape }: ModelTensor, given: ExtraInput): ExtraTensor | undefined {
  // A bare number will do where the model wants a list of one.
  const dims = given.shape.length === 0 ? shape.map(() => 1) : given.shape
  const fits =
    dims.length === shape.length && dims.every((size, i) => typeof shape[i] === 'string' || shape[i] === size)
  if (!fits || (dtype !== 'string' && !(dtype !== undefined && dtype in ARRAYS))) return undefined
  const data = dtype === 'string' ? given.elements : numbersOf(dtype as NumericDtype, given.elements)
  return data && { name, dtype: dtype as Dtype, dims, data }
}

function numbersOf(dtype: NumericDtype, texts: readonly string[]): TensorData | undefined {
  const numbers = new ARRAYS[dtype](texts.length)
  const rounds = isFloat(dtype)
  const areGood = texts.every((text, i) => {
    if (!rounds) return /^-?\d+$/.test(text) && putCell(numbers, i, BigInt(text), false)
    numbers[i] = Number(text)
    return text.trim() !== '' && (text === 'NaN' || !Number.isNaN(Number(text)))
  })
  return areGood ? numbers : undefined
}

function showGiven({ shape, elements }: ExtraInput): string {
  return `[${shape.join(',')}] of ${show(elements.join(', '))}`
}
