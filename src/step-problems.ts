/** What can be wrong with a step: its handler, its tensors, its batches. */
import type { BatchOptions, StepNode } from './graph.ts'
import type { OnnxModel } from './models/model-handler.ts'
import { elementsOf, type TensorSpec } from './models/tensors.ts'
import { suggestion } from './nearest-name.ts'
import { badValue, type Problem } from './problem.ts'

/** Rows in flight are capped here by default (I5), so no batch can be larger. */
const ROW_CAP = 32_768
const PROVIDERS: readonly string[] = ['cpu', 'cuda', 'tensorrt', 'webgpu']
const BATCH_OPTIONS = ['mode', 'minSize', 'maxSize', 'maxWaitMs']

export function stepProblems(step: StepNode): Problem[] {
  const at = `step "${step.step}"`
  const { model, keyed, preprocess } = step.handler
  const problems = [
    ...modelProblems(at, model),
    ...Object.entries(model.inputs).flatMap(([name, spec]) => specProblems(`${at}, input "${name}"`, spec)),
    ...Object.entries(model.outputs).flatMap(([name, spec]) => specProblems(`${at}, output "${name}"`, spec)),
    ...unknownNames(at, 'option', step.options, ['batch']),
    ...unknownNames(at, 'batch option', step.options.batch ?? {}, BATCH_OPTIONS),
    ...batchProblems(at, step.options.batch ?? {}),
  ]
  if (keyed && preprocess.length === 0 && step.input.kind === 'source' && step.input.key === undefined) {
    problems.push({
      where: at,
      what: 'the handler is keyed, but its source has no key codec',
      remedy: `Read keyed elements: from("${step.input.topic}", { key, value })`,
    })
  }
  return problems
}

/** Options that nothing reads are mistakes: what was meant would silently not hold. */
export function unknownNames(where: string, kind: string, given: object, known: readonly string[]): Problem[] {
  return Object.keys(given)
    .filter(name => !known.includes(name))
    .map(name => ({ where, what: `there is no ${kind} "${name}"`, remedy: suggestion(name, known) }))
}

function modelProblems(at: string, model: OnnxModel): Problem[] {
  const problems: Problem[] = []
  const bad = (name: string, expected: string, got: unknown) => problems.push(badValue(at, name, expected, got))
  if (typeof model.uri !== 'string' || model.uri === '') {
    problems.push({
      where: at,
      what: 'the handler names no model file',
      remedy: 'Give its path: onnx({ model: "….onnx" })',
    })
  }
  if (model.providers.length === 0) bad('providers', "at least one, ['cpu'] is the least", [])
  for (const provider of model.providers) {
    if (!PROVIDERS.includes(provider)) bad('providers', `some of ${PROVIDERS.join(', ')}`, provider)
  }
  if (model.providerPolicy !== 'required' && model.providerPolicy !== 'preferred')
    bad('providerPolicy', 'required or preferred', model.providerPolicy)
  if (!isWhole(model.intraOpNumThreads)) bad('intraOpNumThreads', 'a whole number from 1', model.intraOpNumThreads)
  if (model.warmUpRows.length === 0 || !model.warmUpRows.every(isWhole))
    bad('warmUpRows', 'a list of whole numbers from 1', model.warmUpRows)
  if (model.isolation !== 'thread' && model.isolation !== 'process')
    bad('isolation', 'thread or process', model.isolation)
  const { timeoutMs } = model
  if (timeoutMs !== undefined && !(timeoutMs > 0 && Number.isFinite(timeoutMs)))
    bad('timeoutMs', 'milliseconds above 0', timeoutMs)
  if (timeoutMs !== undefined && model.isolation === 'thread') {
    problems.push({
      where: at,
      what: 'timeoutMs needs a process: a call inside a thread cannot be ended',
      expected: "isolation: 'process'",
      got: '"thread"',
      remedy: 'Leave isolation out, or leave timeoutMs out',
    })
  }
  return problems
}

function specProblems(at: string, spec: TensorSpec): Problem[] {
  const open = spec.shape.filter(size => size === null).length
  if (spec.shape.some(size => size !== null && !isWhole(size)))
    return [badValue(at, 'the shape', 'dimensions that are whole numbers from 1, or null for any', spec.shape)]
  if (elementsOf(spec.shape) === undefined && open > 1)
    return [badValue(at, 'the shape', 'at most one open dimension (null)', spec.shape)]
  return []
}

function batchProblems(
  at: string,
  { mode = 'stream', minSize, maxSize = 256, maxWaitMs = 0 }: BatchOptions,
): Problem[] {
  const problems: Problem[] = []
  const bad = (name: string, expected: string, got: unknown) =>
    problems.push(badValue(at, `batch.${name}`, expected, got))
  if (mode !== 'stream' && mode !== 'bundle') bad('mode', 'stream or bundle', mode)
  if (!isWhole(maxSize) || maxSize > ROW_CAP)
    bad('maxSize', `a whole number from 1 to ${ROW_CAP} (the cap of rows in flight)`, maxSize)
  if (minSize !== undefined && (!isWhole(minSize) || minSize > maxSize))
    bad('minSize', `a whole number from 1 to maxSize (${maxSize})`, minSize)
  if (!(maxWaitMs >= 0 && Number.isFinite(maxWaitMs))) bad('maxWaitMs', 'milliseconds from 0', maxWaitMs)
  if (minSize !== undefined && minSize > 1 && maxWaitMs === 0) {
    problems.push({
      where: at,
      what: `batch.minSize ${minSize} without maxWaitMs: a quiet topic would wait for ever`,
      remedy: 'Set batch.maxWaitMs too',
    })
  }
  if (mode === 'bundle' && (minSize !== undefined || maxWaitMs > 0)) {
    problems.push({
      where: at,
      what: 'batch.mode bundle batches what one fetch brought, so minSize and maxWaitMs do not apply',
      remedy: 'Leave them out, or use mode stream',
    })
  }
  return problems
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}
