import { RunInferenceError } from '../errors.ts'
import type { UserFunction } from '../models/model-handler.ts'
import type { FailurePoint, Stage } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

/** Calls a user function. A promise is refused: awaiting it silently would change order and batching. */
export function applyFunction(fn: UserFunction, value: unknown, code: 'FUNCTION_THREW' | 'POSTPROCESS_THREW'): unknown {
  const result: unknown = (fn as (value: unknown) => unknown)(value)
  if (typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function') {
    ;(result as Promise<unknown>).then(undefined, () => {})
    throw new RunInferenceError(
      code,
      'the function returned a promise; expected a value, since functions are synchronous',
    )
  }
  return result
}

/** `map`. `code` says on which side of a step it stands. */
export function mapStage(fn: UserFunction, next: Stage, point: FailurePoint): Stage {
  const code = point.stage === 'postprocess' ? 'POSTPROCESS_THREW' : 'FUNCTION_THREW'
  return {
    push(work, row, value) {
      let result: unknown
      try {
        result = applyFunction(fn, value, code)
      } catch (error) {
        work.fail(row, point, -1, RunInferenceError.from(error, code, point.node))
        return
      }
      next.push(work, row, result)
    },
    pushNull: (work, row) => next.pushNull(work, row),
  }
}

/** `filter`: what it drops is counted. */
export function filterStage(fn: UserFunction, next: Stage, point: FailurePoint, onDrop: () => void): Stage {
  const code = point.stage === 'postprocess' ? 'POSTPROCESS_THREW' : 'FUNCTION_THREW'
  return {
    push(work: WorkBlock, row: number, value: unknown) {
      let keep: boolean
      try {
        keep = Boolean(applyFunction(fn, value, code))
      } catch (error) {
        work.fail(row, point, -1, RunInferenceError.from(error, code, point.node))
        return
      }
      if (keep) next.push(work, row, value)
      else {
        onDrop()
        work.complete(row)
      }
    },
    pushNull: (work, row) => next.pushNull(work, row),
  }
}
