/**
 * What crosses the border between the main thread and a lane: plain data only. Every message to a lane carries a call
 * number and gets exactly one reply with that number; a lane serves its messages in the order of their arrival.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { LoadedModel, ModelSpec } from './executor.ts'
import type { NativeGate } from './native-gate.ts'
import type { Regions } from './slots.ts'
import type { TensorData } from './tensors.ts'

export interface LoadMessage {
  readonly type: 'load'
  readonly call: number
  /** Number by which later messages name the model. */
  readonly model: number
  readonly spec: ModelSpec
  /** How long it may take; default: as any call. */
  readonly timeoutMs?: number
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
  /** Per input: the rows' strings, or null for inputs in shared memory; undefined when no input holds strings. */
  readonly strings: readonly (readonly string[] | null)[] | undefined
  /** The rows as they are, packed (packed-values.ts), for a handler that a user wrote. */
  readonly examples: Uint8Array<ArrayBuffer> | undefined
  /** When the message was posted, on the clock that both sides read. */
  readonly postedAt: number
}

export type ToLane =
  | LoadMessage
  | RunMessage
  | { readonly type: 'control' | 'unload'; readonly call: number; readonly model: number }
  | { readonly type: 'close'; readonly call: number }

/** To a thread, out of turn, and not answered: whatever it waits for, it ends when it comes to read this. */
export const END_WHEN_IDLE = 'end'
/** A thread is first given its gate. */
export type ToThread = NativeGate | ToLane | typeof END_WHEN_IDLE

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
  /** One result for each row, packed, of a handler that a user wrote; there are no outputs then. */
  readonly results?: Uint8Array<ArrayBuffer>
  /** Bytes of the batch, where the handler says so. */
  readonly numBytes?: number
  readonly computeMs: number
  readonly queueMs: number
}

interface LoadedReply {
  readonly type: 'loaded'
  readonly call: number
  readonly loaded: LoadedModel
}

/** `warnings`: what a handler did wrong and no call failed for. */
export type FromLane =
  | ((LoadedReply | RanReply | { readonly type: 'done'; readonly call: number }) & {
      readonly warnings?: readonly string[]
    })
  | { readonly type: 'failed'; readonly call: number; readonly error: CarriedError }

export interface CarriedError {
  readonly code: ErrorCode
  readonly message: string
  readonly stack: string | undefined
  /** Names of the classes of what was thrown, its own first. */
  readonly errorTypes: readonly string[]
}

/** An error as plain data; whatever is not one of ours is a bug of the lane. */
export function carryError(error: unknown): CarriedError {
  const ours = RunInferenceError.from(error, 'BUG', 'inside a lane')
  const { code, message, stack, thrownStack, errorTypes } = ours
  return { code, message, stack: thrownStack === stack ? stack : `${stack}\nCaused by: ${thrownStack}`, errorTypes }
}

/** The error again, with the stack that it had in the lane. */
export function reviveError({ code, message, stack, errorTypes }: CarriedError): RunInferenceError {
  const prefix = `[${code}] `
  const text = message.startsWith(prefix) ? message.slice(prefix.length) : message
  const error = new RunInferenceError(code, text, { errorTypes })
  if (stack !== undefined) error.stack = stack
  return error
}

/** Buffers of a reply that may be moved instead of copied. */
export function movableBuffers(reply: FromLane): ArrayBuffer[] {
  if (reply.type !== 'ran') return []
  const buffers = new Set<ArrayBuffer>()
  if (reply.results) buffers.add(reply.results.buffer)
  for (const output of reply.outputs) {
    if (output && ArrayBuffer.isView(output.data) && output.data.buffer instanceof ArrayBuffer) {
      buffers.add(output.data.buffer)
    }
  }
  return [...buffers]
}
