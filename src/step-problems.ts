/** What can be wrong with a step: its handler, its batches. */
import { batchProblems } from './batch-problems.ts'
import type { StepNode } from './graph.ts'
import { handlerProblems } from './handler-problems.ts'
import { modelsOf } from './models/model-handler.ts'
import { type Problem, unknownNames } from './problem.ts'

/** Rows in flight are capped here by default (I5), so no batch can be larger. */
const ROW_CAP = 32_768

/** What is wrong with the settings of the model that a step runs; a model that has problems is not loaded. */
export function modelProblems({ step, handler }: StepNode): Problem[] {
  return modelsOf(handler).flatMap(model => handlerProblems(`step "${step}"`, model, ROW_CAP))
}

export function stepProblems(step: StepNode): Problem[] {
  const at = `step "${step.step}"`
  const { keyed, preprocess, cohorts } = step.handler
  const problems = [
    ...modelProblems(step),
    ...unknownNames(at, 'option', step.options, ['batch']),
    ...batchProblems(at, step.options.batch ?? {}, cohorts[0].model, ROW_CAP),
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
