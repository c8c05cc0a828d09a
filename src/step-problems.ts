/** What can be wrong with a step: its handler, its batches. */
import type { BatchOptions, StepNode } from './graph.ts'
import { handlerProblems } from './handler-problems.ts'
import { badValue, isWhole, type Problem, unknownNames } from './problem.ts'

/** Rows in flight are capped here by default (I5), so no batch can be larger. */
const ROW_CAP = 32_768
const BATCH_OPTIONS = ['mode', 'minSize', 'maxSize', 'maxWaitMs']

export function stepProblems(step: StepNode): Problem[] {
  const at = `step "${step.step}"`
  const { model, keyed, preprocess } = step.handler
  const problems = [
    ...handlerProblems(at, model, ROW_CAP),
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
