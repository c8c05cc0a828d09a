/** What is said between the thread that runs functions around a model and the one that wants their results. Plain data. */
import type { ModuleRef } from './executor.ts'
import type { CarriedError } from './lane-messages.ts'
import type { FunctionSide } from './user-function.ts'

/** Functions of a step inside a topology module, which their worker imports again. */
export interface FunctionPlace {
  readonly module: ModuleRef
  /** Fingerprint of the graph: both sides must have built the same. */
  readonly digest: string
  readonly step: string
}

/** What a worker of functions is started with. */
export interface FunctionWorkerData {
  readonly place: FunctionPlace
  readonly marks: SharedArrayBuffer
  /** How often a worker that has work shows that it is not stuck. */
  readonly beatMs: number
}

/** Elements for the functions on one side of the model. */
export interface FunctionRequest {
  readonly chunk: number
  readonly side: FunctionSide
  readonly elements: Uint8Array<ArrayBuffer>
}

export interface FailedElement {
  readonly position: number
  /** Of the function that failed. */
  readonly index: number
  readonly error: CarriedError
}

export interface FunctionReply {
  readonly type: 'ran'
  readonly chunk: number
  /** One for each element, packed, in one piece or in several where they are large; nothing of use where it failed. */
  readonly results: readonly Uint8Array<ArrayBuffer>[]
  readonly failures: readonly FailedElement[]
}

export type FromFunctionWorker =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly error: CarriedError }
  /** Something went wrong that belongs to no element. */
  | { readonly type: 'warning'; readonly text: string }
  | FunctionReply
