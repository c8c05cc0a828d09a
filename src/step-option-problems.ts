/** What can be wrong with the options of a step, batches apart. */
import { isDuration } from './function-problems.ts'
import type { ExceptionHandling, RetryOptions, StepNode, StepOptions } from './graph.ts'
import { hintProblems } from './models/resource-hints.ts'
import { notPlain } from './plain-data.ts'
import { badValue, type Problem, unknownNames } from './problem.ts'

/** The compiler keeps these complete. */
const OPTIONS: Readonly<Record<keyof StepOptions, true>> = {
  batch: true,
  inferenceArgs: true,
  modelMetadata: true,
  modelIdentifier: true,
  metricsNamespace: true,
  resourceHints: true,
  functions: true,
  functionTimeoutMs: true,
  exceptionHandling: true,
  retry: true,
}
const EXCEPTION_HANDLING: Readonly<Record<keyof ExceptionHandling, true>> = {
  only: true,
  threshold: true,
  failureUnit: true,
}
const RETRY: Readonly<Record<keyof RetryOptions, true>> = { maxRetries: true, firstDelayMs: true, maxDelayMs: true }

export function stepOptionProblems(at: string, { options, handler }: StepNode): Problem[] {
  const { modelIdentifier, metricsNamespace, resourceHints = {} } = options
  const problems = unknownNames(at, 'option', options, Object.keys(OPTIONS))
  for (const [name, value] of Object.entries({ modelIdentifier, metricsNamespace }))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      problems.push(badValue(at, name, 'a text', value))
  const { modelMetadata } = options
  if (modelMetadata !== undefined && typeof modelMetadata !== 'boolean')
    problems.push(badValue(at, 'modelMetadata', 'true or false', modelMetadata))
  return [
    ...problems,
    ...argumentProblems(at, options.inferenceArgs),
    ...hintProblems(at, { ...handler.resourceHints, ...resourceHints }),
    ...placeProblems(at, options, handler),
    ...exceptionProblems(`${at}, exceptionHandling`, options.exceptionHandling),
    ...retryProblems(`${at}, retry`, options.retry),
  ]
}

function argumentProblems(at: string, args: unknown): Problem[] {
  if (args === undefined) return []
  if (!isRecord(args)) return [badValue(at, 'inferenceArgs', 'arguments by name: { name: value }', args)]
  const culprit = notPlain(args, 'inferenceArgs')
  if (culprit === undefined) return []
  return [
    {
      where: at,
      what: `${culprit.path} cannot be copied to a lane`,
      expected: 'plain data: texts, numbers, lists, objects and typed arrays',
      got: culprit.got,
      remedy: 'Pass data, and make of it what is needed inside the handler',
    },
  ]
}

/** Where functions run, and for how long. */
function placeProblems(at: string, options: StepNode['options'], handler: StepNode['handler']): Problem[] {
  const { functions = 'main', functionTimeoutMs } = options
  const problems: Problem[] = []
  if (functions !== 'main' && functions !== 'worker')
    problems.push(badValue(at, 'functions', 'main or worker', functions))
  if (functionTimeoutMs === undefined) return problems
  if (!isDuration(functionTimeoutMs))
    problems.push(badValue(at, 'functionTimeoutMs', 'milliseconds above 0', functionTimeoutMs))
  const isSynchronous = [...handler.preprocess, ...handler.postprocess].some(fn => fn.concurrency === undefined)
  if (functions === 'main' && isSynchronous) {
    problems.push({
      where: at,
      what: 'functionTimeoutMs needs a worker: a synchronous function on the main thread cannot be ended',
      expected: "functions: 'worker'",
      got: '"main"',
      remedy: 'Set it, or leave functionTimeoutMs out; asynchronous functions have a timeoutMs of their own',
    })
  }
  return problems
}

function exceptionProblems(where: string, given: unknown): Problem[] {
  if (given === undefined) return []
  if (!isRecord(given)) return [badValue(where, 'what was given', '{ only, threshold, failureUnit }', given)]
  const problems = unknownNames(where, 'option', given, Object.keys(EXCEPTION_HANDLING))
  const { only, threshold, failureUnit } = given
  if (only !== undefined && !(Array.isArray(only) && only.every(isErrorClass)))
    problems.push(badValue(where, 'only', 'a list of error classes or of their names', only))
  if (threshold !== undefined && !(typeof threshold === 'number' && threshold >= 0 && threshold <= 1))
    problems.push(badValue(where, 'threshold', 'a share from 0 to 1', threshold))
  if (failureUnit !== undefined && failureUnit !== 'bisect' && failureUnit !== 'batch')
    problems.push(badValue(where, 'failureUnit', 'bisect or batch', failureUnit))
  return problems
}

function isErrorClass(value: unknown): boolean {
  if (typeof value === 'string') return value !== ''
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error)
}

function retryProblems(where: string, given: unknown): Problem[] {
  if (given === undefined) return []
  if (!isRecord(given)) return [badValue(where, 'what was given', '{ maxRetries, firstDelayMs, maxDelayMs }', given)]
  const problems = unknownNames(where, 'option', given, Object.keys(RETRY))
  const { maxRetries, firstDelayMs, maxDelayMs } = given
  if (maxRetries !== undefined && !(Number.isSafeInteger(maxRetries) && (maxRetries as number) >= 0))
    problems.push(badValue(where, 'maxRetries', 'a whole number from 0', maxRetries))
  for (const [name, value] of Object.entries({ firstDelayMs, maxDelayMs }))
    if (value !== undefined && !isDuration(value)) problems.push(badValue(where, name, 'milliseconds above 0', value))
  if (typeof firstDelayMs === 'number' && typeof maxDelayMs === 'number' && firstDelayMs > maxDelayMs)
    problems.push(badValue(where, 'maxDelayMs', `milliseconds from firstDelayMs (${firstDelayMs})`, maxDelayMs))
  return problems
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
