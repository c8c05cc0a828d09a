import { RunInferenceError } from '../errors.ts'
import type { UserFunction } from '../models/model-handler.ts'
import { applyFunction, throwCodeOf } from '../models/user-function.ts'
import type { FunctionTimer } from './function-timing.ts'
import type { FailurePoint, Spare, Stage } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

/** Ends an element as a counted drop. */
export type Drop = (work: WorkBlock, element: number) => void

/** The model behind the results that are being delivered: what fails on them says so. */
export interface Delivery {
  modelId: string | undefined
  /** Of this very result. */
  spare?: Spare | undefined
}

/** A function of the graph or of a handler, where it stands, and what comes after it. */
export interface FunctionStageOptions {
  readonly fn: UserFunction
  readonly next: Stage
  readonly point: FailurePoint
  /** In execution order, of a handler's functions; −1 for nodes of the graph. */
  readonly index: number
  readonly timer: FunctionTimer
  /** Set behind a model. */
  readonly delivery?: Delivery | undefined
  /** The same for nodes of the graph, which name no model. */
  readonly behind?: Delivery | undefined
}

/** `map`, `keyBy` and the functions of handlers: one element in, one out. `make`: the element, of what the function gave. */
export function functionStage(options: FunctionStageOptions, make = (_: unknown, result: unknown) => result): Stage {
  const { fn, next } = options
  const call = calling(options)
  return {
    push(work, element, value) {
      const result = call(work, element, value, fn)
      if (result !== FAILED) next.push(work, element, make(value, result))
    },
    pushNull: (work, element) => next.pushNull(work, element),
  }
}

/** `filter`: what it drops is counted. */
export function filterStage(options: FunctionStageOptions, onDrop: Drop): Stage {
  const { fn, next } = options
  const call = calling(options)
  return {
    push(work, element, value) {
      const keep = call(work, element, value, fn)
      if (keep === FAILED) return
      if (keep) next.push(work, element, value)
      else onDrop(work, element)
    },
    pushNull: (work, element) => next.pushNull(work, element),
  }
}

/** `flatMap`: none is a counted drop, more than `maxFanOut` a dead letter of the record. */
export function flatMapStage(options: FunctionStageOptions, maxFanOut: number, onDrop: Drop): Stage {
  const { fn, next, point, index } = options
  const call = calling(options)
  const list = (value: unknown) => {
    const results = applyFunction(fn, value, throwCodeOf(point.stage)) as Iterable<unknown>
    if (Array.isArray(results)) return results
    const taken: unknown[] = []
    // One more than allowed is enough to know.
    for (const result of results) if (taken.push(result) > maxFanOut) break
    return taken
  }
  return {
    push(work, element, value) {
      const results = call(work, element, value, list) as readonly unknown[] | typeof FAILED
      if (results === FAILED) return
      if (results.length > maxFanOut) {
        const what = `flatMap gave more elements than its maxFanOut of ${maxFanOut}`
        work.fail(element, point, index, new RunInferenceError('FAN_OUT', what), { value })
        return
      }
      if (results.length === 0) {
        onDrop(work, element)
        return
      }
      work.addBranches(element, results.length - 1)
      const first = work.addChildren(element, results.length)
      for (let i = 0; i < results.length; i++) next.push(work, first + i, results[i])
    },
    pushNull: (work, element) => next.pushNull(work, element),
  }
}

/** `branch`: the first case that takes the element gets it; a case that nobody reads, or none, is a counted drop. */
export function branchStage(
  options: Omit<FunctionStageOptions, 'fn' | 'next'>,
  cases: readonly { readonly fn: UserFunction; readonly next: Stage | undefined }[],
  onDrop: Drop,
): Stage {
  const call = calling(options)
  const read = cases.flatMap(({ next }) => (next ? [next] : []))
  return {
    push(work, element, value) {
      for (const { fn, next } of cases) {
        const takes = call(work, element, value, fn)
        if (takes === FAILED) return
        if (!takes) continue
        if (!next) break
        next.push(work, element, value)
        return
      }
      onDrop(work, element)
    },
    pushNull(work, element) {
      work.addBranches(element, read.length - 1)
      for (const stage of read) stage.pushNull(work, element)
    },
  }
}

const FAILED = Symbol('failed')

/** Calls a function on an element; what it throws is a dead letter, and the result FAILED then. */
function calling(options: Pick<FunctionStageOptions, 'point' | 'index' | 'delivery' | 'behind' | 'timer'>) {
  const { point, index, delivery, behind = delivery, timer } = options
  const code = throwCodeOf(point.stage)
  const where = index < 0 ? point.node : `${point.stage} function ${index}`
  return (work: WorkBlock, element: number, value: unknown, fn: UserFunction): unknown => {
    let result: unknown
    try {
      result = applyFunction(fn, value, code)
    } catch (error) {
      timer.called(options)
      const about = { value, modelId: delivery?.modelId, spare: behind?.spare }
      work.fail(element, point, index, RunInferenceError.from(error, code, where), about)
      return FAILED
    }
    timer.called(options)
    return result
  }
}
