/**
 * What goes into handlers that users write, and comes out of them: copied between threads and processes in one piece of
 * bytes, by the same rules everywhere, so that a handler works in a process as it does in a thread and in a test.
 */
import { deserialize, serialize } from 'node:v8'
import { RunInferenceError } from '../errors.ts'

/** One of `what` for each row. Throws NOT_CLONEABLE. */
export function pack(values: readonly unknown[], what: 'example' | 'result', where: string): Uint8Array<ArrayBuffer> {
  try {
    // In memory of its own, exactly as long, so that it can be moved.
    return serialize(values) as Buffer<ArrayBuffer>
  } catch (error) {
    throw notCloneable(error, what, where)
  }
}

export function unpack(bytes: Uint8Array): unknown[] {
  return deserialize(bytes) as unknown[]
}

/** The error of an example or result that does not let itself be copied. */
export function notCloneable(error: unknown, what: 'example' | 'result', where: string): RunInferenceError {
  const which = what === 'example' ? 'an example' : 'a result'
  const context = `${where}: ${which} is no plain data, and cannot be copied between threads`
  return RunInferenceError.wrap(error, 'NOT_CLONEABLE', context)
}
