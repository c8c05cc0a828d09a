import type { FailedNode } from '../graph.ts'
import type { DeadLetter } from '../records.ts'
import type { Failure, FailureListener, Stage } from './stage.ts'

/** Gives the failures of a step on as elements: each is one more branch of its record, beside the dead letter itself. */
export function failuresAsStream(node: FailedNode, next: Stage): FailureListener {
  return (work, element, failure, { value }) => {
    if (node.index !== undefined && node.index !== failure.index) return
    const deadLetter = deadLetterOf(failure, value)
    work.addBranches(element, 1)
    // An element of its own: two sinks below one element may both fail.
    next.push(work, work.addChildren(element, 1), deadLetter)
  }
}

/** A failure as a user sees it: with Beam's element, what the failing function or model received. */
export function deadLetterOf({ point, index, error, modelId }: Failure, element: unknown) {
  return {
    element,
    step: point.step,
    stage: point.stage,
    index,
    code: error.code,
    errorType: error.errorType,
    message: error.message,
    modelId,
  } satisfies DeadLetter
}
