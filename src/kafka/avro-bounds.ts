/** Where the value that is being read ends: avsc's cursor knows the end of the buffer alone, which is a whole fetch. */
import type { Tap } from './avsc.ts'

// Reading is synchronous, so one variable serves all types.
let readEnd = 0
let itemsLeft = 0

/** Items that take no bytes (null) may be more than the bytes of a value, but not many more. */
export const ZERO_SIZED_ITEMS = 1024

/** Tells where the value lies that is read next. */
export function readWithin(start: number, end: number): void {
  readEnd = end
  // Each item that takes bytes, of all arrays and maps in each other, has one that is no other's.
  itemsLeft = end - start + ZERO_SIZED_ITEMS
}

/** Takes items off those that the value may have in all; false when it has fewer. */
export function takeItems(count: number): boolean {
  itemsLeft -= count
  return itemsLeft >= 0
}

/** Negative once something was read from behind the end. */
export function bytesLeft(tap: Tap): number {
  return readEnd - tap.pos
}
