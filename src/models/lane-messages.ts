/**
 * What crosses the border between the main thread and a lane: plain data only. Every message to a lane carries a call
 * number and gets exactly one reply with that number; a lane serves its messages in the order of their arrival.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { LoadedModel, ModelSpec } from './executor.ts'
import type { Regions } from './slots.ts'
import type { TensorData } from './tensors.ts'

export interface LoadMessage {
  readonly type: 'load'
  readonly call: number
  /** Number by which later messages name the model. */
  readonly model: number
  readonly spec: ModelSpec
}

export interface RunMessage {
  readonly type: 'run'
  readonly call: number
  readonly model: number
  readonly slot: number
  /** The slot's memory; undefined where the lane has been told of it. */
  readonly regions: Regions | undefined
  /** Rows that the slot was prepared for: with the row shapes, it fixes the layout. */
  readonly prepared: number
  readonly rowShapes: readonly (readonly number[])[]
  readonly from: number
  readonly rows: number
  /** Rows of this batch have run before: it is tried again, or searched for the row that makes it fail. */
  readonly again: boolean
  /** Per input: the rows' strings or values, or null for inputs in shared memory; undefined when all are. */
  readonly values: readonly (readonly unknown[] | null)[] | undefined
  /** When the message was posted, on the clock that both sides read. */
  readonly postedAt: number
}

export type ToLane =
  | LoadMessage
  | RunMessage
  | { readonly type: 'control' | 'unload'; readonly call: number; readonly model: number }
  | { readonly type: 'close'; readonly call: number }

/** An output that did not fit shared memory: its rows travel in the reply. */
export interface CarriedOutput {
  readonly data: TensorData
  readonly rowShape: readonly number[]
}

export interface RanReply {
  readonly type: 'ran'
  readonly call: number
  /** Per output: null when its rows are in the slot's output region. */
  readonly outputs: readonly (CarriedOutput | null)[]
  readonly computeMs: number
  readonly queueMs: number
}

export type FromLane =
  | { readonly type: 'loaded'; readonly call: number; readonly loaded: LoadedModel }
  | RanReply
  | { readonly type: 'done'; readonly call: number }
  | { readonly type: 'failed'; readonly call: number; readonly error: CarriedError }

export interface CarriedError {
  readonly code: ErrorCode
  readonly message: string
  readonly stack: string | undefined
}

/** An error as plain data; whatever is not one of ours is a bug of the lane. */
export function carryError(error: unknown): CarriedError {
  const ours = RunInferenceError.from(error, 'BUG', 'inside a lane')
  const cause = ours.cause instanceof Error ? `\nCaused by: ${ours.cause.stack ?? ours.cause.message}` : ''
  return { code: ours.code, message: ours.message, stack: `${ours.stack ?? ours.message}${cause}` }
}

/** The error again, with the stack that it had in the lane. */
export function reviveError({ code, message, stack }: CarriedError): RunInferenceError {
  const prefix = `[${code}] `
  const error = new RunInferenceError(code, message.startsWith(prefix) ? message.slice(prefix.length) : message)
  if (stack !== undefined) error.stack = stack
  return error
}

/** Buffers of a reply that may be moved instead of copied. */
export function movableBuffers(reply: FromLane): ArrayBuffer[] {
  if (reply.type !== 'ran') return []
  const buffers = new Set<ArrayBuffer>()
  for (const output of reply.outputs) {
    if (output && ArrayBuffer.isView(output.data) && output.data.buffer instanceof ArrayBuffer) {
      buffers.add(output.data.buffer)
    }
  }
  return [...buffers]
}
