import { RunInferenceError } from '../errors.ts'
import type { UserFunction } from './model-handler.ts'

/** Code of what a function throws, by the side of the model on which it stands. */
export type ThrowCode = 'FUNCTION_THREW' | 'POSTPROCESS_THREW'

/** Calls a user function. A promise is refused: awaiting it silently would change order and batching. */
export function applyFunction(fn: UserFunction, value: unknown, code: ThrowCode): unknown {
  const result: unknown = (fn as (value: unknown) => unknown)(value)
  if (isThenable(result)) {
    result.then(undefined, () => {})
    throw new RunInferenceError(
      code,
      'the function returned a promise; expected a value, since functions are synchronous: ' +
        'withPreprocess and withPostprocess await one that is given with { concurrency }',
    )
  }
  return result
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** Where functions around a model stand. */
export type FunctionSide = 'preprocess' | 'postprocess'

export function throwCodeOf(side: FunctionSide | 'inference'): ThrowCode {
  return side === 'postprocess' ? 'POSTPROCESS_THREW' : 'FUNCTION_THREW'
}

/** How long one call may take, where nobody says. */
export const FUNCTION_TIMEOUT_MS = 30_000

/** The dead letter of a call that did not end; `verb`: what it did not do. */
export function functionTimeout(where: string, verb: 'settle' | 'return', timeoutMs: number): RunInferenceError {
  return new RunInferenceError('FUNCTION_TIMEOUT', `${where} did not ${verb} within ${timeoutMs} ms`)
}
