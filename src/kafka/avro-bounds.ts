/** Where the value that is being read ends: avsc's cursor knows the end of the buffer alone, which is a whole fetch. */
import type { Tap } from './avsc.ts'

// Reading is synchronous, so one variable serves all types.
let readEnd = 0

/** Tells where the value ends that is read next. */
export function readUpTo(end: number): void {
  readEnd = end
}

/** Negative once something was read from behind the end. */
export function bytesLeft(tap: Tap): number {
  return readEnd - tap.pos
}
