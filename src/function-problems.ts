/** What can be wrong with functions of the user, before one is called. */
import type { HandlerFunction } from './models/model-handler.ts'
import { badValue, isWhole, type Problem, show } from './problem.ts'

/** Of nodes, which are synchronous. */
export function functionProblems(where: string, name: string, fn: unknown): Problem[] {
  if (typeof fn !== 'function') return [noFunction(where, name, fn)]
  if (!isAsync(fn)) return []
  return [
    {
      where,
      what: `${name} is asynchronous, and its promise would be taken for what it gives`,
      expected: 'a function that gives its result at once',
      remedy: 'Wait in a function of a handler: withPreprocess(fn, { concurrency })',
    },
  ]
}

/** Of handlers; `name` is the method that takes it. */
export function handlerFunctionProblems(where: string, name: string, given: HandlerFunction): Problem[] {
  const { fn, concurrency, timeoutMs } = given
  if (typeof fn !== 'function') return [noFunction(where, `a function of ${name}`, fn)]
  const problems: Problem[] = []
  if (concurrency !== undefined && !isWhole(concurrency))
    problems.push(badValue(where, `concurrency of ${name}`, 'a whole number from 1', concurrency))
  if (timeoutMs !== undefined && !isDuration(timeoutMs))
    problems.push(badValue(where, `timeoutMs of ${name}`, 'milliseconds above 0', timeoutMs))
  if (concurrency === undefined && (isAsync(fn) || timeoutMs !== undefined)) {
    problems.push({
      where,
      what: `an asynchronous function of ${name} does not say how many of its calls may be under way`,
      remedy: `Say it: ${name}(fn, { concurrency: 8 })`,
    })
  }
  return problems
}

export function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && Number.isFinite(value)
}

function noFunction(where: string, name: string, got: unknown): Problem {
  return { where, what: `${name} is no function`, expected: 'a function', got: show(got), remedy: 'Give one' }
}

/** True for what is written with `async`; one that only returns a promise is found when it does. */
function isAsync(fn: object): boolean {
  return Object.prototype.toString.call(fn).startsWith('[object Async')
}
