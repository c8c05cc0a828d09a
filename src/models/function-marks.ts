/**
 * What a worker of functions is inside of, in shared memory: a thread outside can see it while the worker cannot answer. The
 * count moves with every call that begins or returns, and with a timer while there is work; when it stands still, the
 * worker is inside one piece of synchronous code.
 */
import type { CallMarks } from './function-host.ts'

const FIELD = { count: 0, chunk: 1, position: 2, index: 3 } as const
const BYTES = 16
const NOWHERE = -1

export interface MarkedCall {
  readonly chunk: number
  readonly position: number
  readonly index: number
}

export function createMarks(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(BYTES)
  new Int32Array(memory)[FIELD.chunk] = NOWHERE
  return memory
}

/** The worker's side. */
export function markCalls(memory: SharedArrayBuffer): CallMarks & { beat(): void } {
  const fields = new Int32Array(memory)
  const beat = () => void Atomics.add(fields, FIELD.count, 1)
  return {
    beat,
    enter(chunk, position, index) {
      fields[FIELD.position] = position
      fields[FIELD.index] = index
      fields[FIELD.chunk] = chunk
      beat()
    },
    leave() {
      fields[FIELD.chunk] = NOWHERE
      beat()
    },
  }
}

/** The other side: the count, and the call that the worker is inside of, if it is inside of one. */
export function readMarks(memory: SharedArrayBuffer): {
  readonly count: number
  readonly call: MarkedCall | undefined
} {
  const fields = new Int32Array(memory)
  const count = Atomics.load(fields, FIELD.count)
  const chunk = Atomics.load(fields, FIELD.chunk)
  if (chunk === NOWHERE) return { count, call: undefined }
  return { count, call: { chunk, position: fields[FIELD.position]!, index: fields[FIELD.index]! } }
}
