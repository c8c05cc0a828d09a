import type { Stage as FailureStage, RunInferenceError } from '../errors.ts'
import type { WorkBlock } from './work-block.ts'

/**
 * A node of the running graph. Stages know only this interface, never one another. An element is a row of the block, or one
 * that was made of it on the way (`WorkBlock.addChildren`).
 */
export interface Stage {
  /** Takes one element. Never throws: a failure becomes a dead letter of the record. */
  push(work: WorkBlock, element: number, value: unknown): void
  /** Passes a tombstone on to the sinks below. */
  pushNull(work: WorkBlock, element: number): void
}

/** Where failures of one node go: known when the graph is compiled, one object per node and stage. */
export interface FailurePoint {
  readonly topic: string
  readonly stage: Exclude<FailureStage, 'application'>
  /** Empty in a topology without a step. */
  readonly step: string
  /** The graph node that failed, as `describe` names it. */
  readonly node: string
  /** Who wants to know, beside the dead-letter topic. */
  readonly listeners: readonly FailureListener[]
  /** On a way without any step, in a topology that has some: what comes there is not counted by this one. */
  readonly isAside?: boolean
  /** Asked first; undefined: every failure is a dead letter. */
  readonly policy?: FailurePolicy | undefined
  /** Behind a step: what comes there is all that was made of a result, so its row can be run again. */
  readonly isStraight?: boolean
}

/** What a failure is: a dead letter, or nothing, since it ends the application, or its row is run again. */
export type FailurePolicy = (
  work: WorkBlock,
  element: number,
  failure: Failure,
  about: FailureFacts,
) => 'dead-letter' | 'undone'

/** Told of a failure while it is noted. */
export type FailureListener = (work: WorkBlock, element: number, failure: Failure, about: FailureFacts) => void

/** What is known of a failure beside its error. */
export interface FailureFacts {
  /** The model that refused the row, if one did. */
  readonly modelId?: string | undefined
  /** What the failing function or model received; valid only until the listener returns. */
  readonly value?: unknown
  /** Equal for rows that failed with one batch as a whole. */
  readonly batch?: number
  /** How often inference of its batch was tried, from 1; default 1. */
  readonly attempt?: number
  /** On a model on trial, for whose rule it is to judge: it says nothing of the step. */
  readonly isOnTrial?: boolean
  /** Set for what a model on trial has run, or what was made of it. */
  readonly spare?: Spare | undefined
}

/**
 * Asked in place of the end of the application: a model on trial must not be the end of it (UNHANDLED, which is `error`). True: the row
 * is the stable model's now, and runs again.
 */
export type Spare = (failure: Failure, error: RunInferenceError) => boolean

/** What a dead letter is made from when its turn in the outbox comes. */
export interface Failure {
  readonly point: FailurePoint
  /** Index of the function in execution order; −1 where no function is concerned. */
  readonly index: number
  readonly error: RunInferenceError
  /** The model that refused the row, if one did. */
  readonly modelId: string | undefined
  /** How often inference of its batch was tried; default 1. */
  readonly attempt?: number | undefined
  /** Elements of the record that failed there, where it was more than one; this is the first of them. */
  elements?: number
}

/** Hands every element to several stages: a record is done when all its branches are. */
export function fork(stages: readonly Stage[]): Stage {
  const [only] = stages
  if (only !== undefined && stages.length === 1) return only
  return {
    push(work, element, value) {
      work.addBranches(element, stages.length - 1)
      for (const stage of stages) stage.push(work, element, value)
    },
    pushNull(work, element) {
      work.addBranches(element, stages.length - 1)
      for (const stage of stages) stage.pushNull(work, element)
    },
  }
}
