/** What can be wrong with a step: its handler, its options, its batches. */
import { batchProblems } from './batch-problems.ts'
import { handlerFunctionProblems } from './function-problems.ts'
import type { StepNode } from './graph.ts'
import { handlerProblems } from './handler-problems.ts'
import { keyedProblems } from './keyed-problems.ts'
import { modelsOf } from './models/model-handler.ts'
import type { Problem } from './problem.ts'
import { stepOptionProblems } from './step-option-problems.ts'

/** Rows in flight are capped here by default (I5), so no batch can be larger. */
const ROW_CAP = 32_768

/** What is wrong with the settings of the models that a step runs; a model that has problems is not loaded. */
export function modelProblems({ step, handler: { cohorts }, options }: StepNode): Problem[] {
  return cohorts.flatMap(({ keys, model }, i) => {
    const at = keys === undefined ? `step "${step}"` : `step "${step}", mapping ${i}`
    return handlerProblems(at, model, ROW_CAP, options.modelMetadata === true)
  })
}

export function stepProblems(step: StepNode): Problem[] {
  const at = `step "${step.step}"`
  const { handler, options } = step
  return [
    ...modelProblems(step),
    ...handler.preprocess.flatMap(fn => handlerFunctionProblems(at, 'withPreprocess', fn)),
    ...handler.postprocess.flatMap(fn => handlerFunctionProblems(at, 'withPostprocess', fn)),
    ...stepOptionProblems(at, step),
    ...batchProblems(at, { ...handler.batch, ...options.batch }, modelsOf(handler), ROW_CAP),
    ...keyedProblems(at, step),
  ]
}
