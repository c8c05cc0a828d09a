/**
 * Functions around a model that do not give their results at once: asynchronous ones, and those in a worker. Elements go on
 * as their results come; the block restores their order (I2).
 */
import { RunInferenceError } from '../errors.ts'
import type { AsyncCall, AsyncCalls } from '../models/async-calls.ts'
import type { FunctionLane } from '../models/function-lane.ts'
import { type FunctionSide, functionTimeout, throwCodeOf } from '../models/user-function.ts'
import type { TimedFunction } from './function-timing.ts'
import { PendingElement, type PendingOptions } from './pending-element.ts'
import type { Stage } from './stage.ts'

/** The functions on one side of a model, run in a worker thread. */
export function workerStage(lane: FunctionLane, side: FunctionSide, options: PendingOptions): Stage {
  return {
    push: (work, element, value) => lane.push(side, new PendingElement(options, work, element, value)),
    pushNull: (work, element) => options.next.pushNull(work, element),
  }
}

export interface AsyncStageOptions extends PendingOptions, TimedFunction {
  readonly timeoutMs: number
}

/** One function that is awaited. `calls`: one for each function, shared by all ways that lead to it. */
export function asyncStage(calls: AsyncCalls, options: AsyncStageOptions): Stage {
  return {
    push: (work, element, value) => calls.push(new ElementCall(options, work, element, value)),
    pushNull: (work, element) => options.next.pushNull(work, element),
  }
}

class ElementCall extends PendingElement<AsyncStageOptions> implements AsyncCall {
  get timeoutMs(): number {
    return this.options.timeoutMs
  }

  entering(): void {
    this.options.timer.begin()
  }

  left(): void {
    this.options.timer.called(this.options)
  }

  threw(error: unknown): void {
    const { index, point } = this.options
    this.failed(index, RunInferenceError.from(error, throwCodeOf(point.stage), this.#where))
  }

  expired(): void {
    const { index, timeoutMs } = this.options
    this.failed(index, functionTimeout(this.#where, 'settle', timeoutMs))
  }

  get #where(): string {
    return `${this.options.point.stage} function ${this.options.index}`
  }
}
