import type { FailedNode } from '../graph.ts'
import type { DeadLetter } from '../records.ts'
import type { FailureListener, Stage } from './stage.ts'

/** Gives the failures of a step on as elements: each is one more branch of its record, beside the dead letter itself. */
export function failuresAsStream(node: FailedNode, next: Stage): FailureListener {
  return (work, element, { point, index, error, modelId }, { value }) => {
    if (node.index !== undefined && node.index !== index) return
    const deadLetter: DeadLetter = {
      element: value,
      step: point.step,
      stage: point.stage,
      index,
      code: error.code,
      errorType: error.errorType,
      message: error.message,
      modelId,
    }
    work.addBranches(element, 1)
    // An element of its own: two sinks below one element may both fail.
    next.push(work, work.addChildren(element, 1), deadLetter)
  }
}
