/**
 * The declared signature against the model's own: names are resolved, dtypes must be equal, row shapes (without the batch
 * dimension) must be compatible; where one side leaves a dimension open the other's size holds. All problems at once.
 */
import { RunInferenceError } from '../errors.ts'
import type { LoadedTensor, ModelSpec, OnnxSpec, Signature } from './executor.ts'
import { type ExtraTensor, matchExtras } from './extra-inputs.ts'
import { ARRAYS, type Dtype, showSpec, type TensorSpec } from './tensors.ts'

/** A tensor as the model file describes it; strings in `shape` are open dimensions. */
export interface ModelTensor {
  readonly name: string
  /** undefined when it is no tensor (a sequence or a map). */
  readonly dtype: string | undefined
  readonly shape: readonly (number | string)[]
}

export interface ModelSignature {
  readonly inputs: readonly ModelTensor[]
  readonly outputs: readonly ModelTensor[]
}

export interface MatchedSignature {
  readonly inputs: readonly LoadedTensor[]
  readonly outputs: readonly LoadedTensor[]
  /** Of the step's inferenceArgs. */
  readonly extras: readonly ExtraTensor[]
  /** The batch dimension, where the inputs have a fixed one. */
  readonly fixedRows: number | undefined
}

/** What a declaration says before the model is there; of masks, whose type is the model's, the usual one. */
export function declaredSignature(spec: ModelSpec): Signature {
  const tensors = (declared: Readonly<Record<string, TensorSpec>>) =>
    Object.entries(declared).map(([name, { dtype, shape }]): LoadedTensor => ({ declared: name, name, dtype, shape }))
  const { masks = [] } = spec.kind === 'onnx' ? spec : {}
  const ofMasks = masks.map((name): LoadedTensor => ({ declared: name, name, dtype: 'int64', shape: [null] }))
  return { inputs: [...tensors(spec.inputs), ...ofMasks], outputs: tensors(spec.outputs) }
}

/** Throws MODEL_UNUSABLE naming every tensor that does not fit, what was expected, what the file has, and the file. */
export function matchSignature(spec: OnnxSpec, model: ModelSignature): MatchedSignature {
  const problems: string[] = []
  const { inferenceArgs = {}, masks = [] } = spec
  const onlyInput = '' in spec.inputs && model.inputs.length === 1 ? [model.inputs[0]!.name] : []
  const rowInputs = [...Object.keys(spec.inputs), ...onlyInput, ...masks]
  const extras = matchExtras(inferenceArgs, rowInputs, model.inputs, problems)
  const fedByRows = model.inputs.filter(({ name }) => !(name in inferenceArgs) || rowInputs.includes(name))
  const inputs = matchInputs(spec, fedByRows, problems)
  const outputs = matchOutputs(spec, model.outputs, problems)
  const fixedRows = matchBatch(fedByRows, problems)
  if (problems.length > 0) {
    throw new RunInferenceError(
      'MODEL_UNUSABLE',
      `${spec.uri} does not have the declared signature: ${problems.join('; ')}. ` +
        'Use a model with the declared signature, or change the declaration.',
    )
  }
  return { inputs, outputs, extras, fixedRows }
}

/** One size for all inputs that have a fixed one; those that leave it open take any. */
function matchBatch(inputs: readonly ModelTensor[], problems: string[]): number | undefined {
  const fixed = inputs.filter(({ shape }) => typeof shape[0] === 'number')
  const sizes = new Set(fixed.map(({ shape }) => shape[0] as number))
  if (sizes.size > 1) {
    problems.push(
      `the inputs have different fixed batch dimensions, so that no batch fits them all: ${showNames(fixed)}`,
    )
  }
  if (sizes.has(0)) problems.push(`the inputs have a batch dimension of 0: ${showNames(fixed)}`)
  return fixed[0]?.shape[0] as number | undefined
}

function matchInputs(spec: OnnxSpec, model: readonly ModelTensor[], problems: string[]): LoadedTensor[] {
  const matched: LoadedTensor[] = []
  const { masks = [] } = spec
  const others = model.filter(({ name }) => !masks.includes(name))
  for (const [declared, tensor] of Object.entries(spec.inputs)) {
    const found = declared === '' && others.length === 1 ? others[0] : others.find(({ name }) => name === declared)
    if (found) {
      matched.push(matchTensor('input', declared, tensor, found, problems))
    } else if (declared === '') {
      problems.push(`the declaration names no input, but the model has ${others.length}: ${showNames(others)}`)
    } else {
      problems.push(`input '${declared}' ${showSpec(tensor)} is declared, but the model has only ${showNames(model)}`)
    }
  }
  for (const mask of masks) matched.push(...matchMask(mask, model, problems))
  for (const tensor of model) {
    if (!matched.some(({ name }) => name === tensor.name) && !('' in spec.inputs)) {
      problems.push(`input ${showTensor(tensor)} of the model is not declared`)
    }
  }
  return matched
}

/** A mask has one number for each position of a row, of any type that has 0 and 1. */
function matchMask(mask: string, model: readonly ModelTensor[], problems: string[]): LoadedTensor[] {
  const found = model.find(({ name }) => name === mask)
  if (!found) {
    problems.push(`mask '${mask}' is declared, but the model has only the inputs ${showNames(model)}`)
    return []
  }
  const { dtype, shape } = found
  if (dtype === undefined || !(dtype in ARRAYS) || shape.length !== 2) {
    problems.push(`mask '${mask}': expected numbers [batch, length], got ${showTensor(found)}`)
    return []
  }
  const length = shape[1]!
  return [{ declared: mask, name: mask, dtype: dtype as Dtype, shape: [typeof length === 'number' ? length : null] }]
}

function matchOutputs(spec: OnnxSpec, model: readonly ModelTensor[], problems: string[]): LoadedTensor[] {
  const matched: LoadedTensor[] = []
  for (const [declared, tensor] of Object.entries(spec.outputs)) {
    const found = declared === '' ? firstFit(tensor, model) : model.find(({ name }) => name === declared)
    if (found) matched.push(matchTensor('output', declared, tensor, found, problems))
    else if (declared === '') problems.push(`no output fits ${showSpec(tensor)}: the model has ${showNames(model)}`)
    else
      problems.push(`output '${declared}' ${showSpec(tensor)} is declared, but the model has only ${showNames(model)}`)
  }
  return matched
}

function firstFit(spec: TensorSpec, model: readonly ModelTensor[]): ModelTensor | undefined {
  return model.find(
    tensor => tensor.dtype === spec.dtype && mergeShape(spec.shape, tensor.shape.slice(1)) !== undefined,
  )
}

function matchTensor(
  side: 'input' | 'output',
  declared: string,
  spec: TensorSpec,
  model: ModelTensor,
  problems: string[],
): LoadedTensor {
  const where = `${side} '${model.name}'`
  const expected = `expected ${showSpec(spec)} a row, got ${showTensor(model)}`
  // Outputs of unknown rank have an empty shape too; the warm-up run shows what they are.
  const unknownRank = side === 'output' && model.shape.length === 0
  const shape = unknownRank ? spec.shape : mergeShape(spec.shape, model.shape.slice(1))
  if (model.dtype === undefined) problems.push(`${where} is no tensor; only tensors can be used`)
  else if (model.dtype !== 'string' && !(model.dtype in ARRAYS))
    problems.push(`${where} is ${model.dtype}, which is not supported (${expected})`)
  else if (model.dtype !== spec.dtype) problems.push(`${where}: ${expected}`)
  else if (side === 'input' && model.shape.length === 0)
    problems.push(`${where} has no batch dimension: it is one scalar for all rows`)
  else if (shape === undefined) problems.push(`${where}: ${expected}`)
  return { declared, name: model.name, dtype: spec.dtype, shape: shape ?? spec.shape }
}

/** The narrower of both, or undefined when they contradict each other. */
function mergeShape(
  declared: readonly (number | null)[],
  model: readonly (number | string)[],
): (number | null)[] | undefined {
  if (declared.length !== model.length) return undefined
  const merged: (number | null)[] = []
  for (const [axis, own] of declared.entries()) {
    const theirs = model[axis]
    if (typeof theirs !== 'number') merged.push(own)
    else if (own === null || own === theirs) merged.push(theirs)
    else return undefined
  }
  return merged
}

function showTensor({ name, dtype, shape }: ModelTensor): string {
  return `'${name}' ${dtype ?? 'no tensor'}[${shape.map(size => (size === '' ? '?' : size)).join(',')}]`
}

function showNames(tensors: readonly ModelTensor[]): string {
  return tensors.map(showTensor).join(', ')
}
