/** How much memory values take, about: what decides whether they may leave a lane, before they are copied. */

/** What everything takes that has no size of its own: a number, a member, an object without its members. */
const LEAST_BYTES = 8

/**
 * Counts what a copy takes, each object once, and of views their own elements only. Stops when it is more than `limitBytes`,
 * which also bounds its steps; the number is some other one above the limit then. Calls getters, as copying does, and throws
 * what they throw.
 */
export function sizeOfValue(value: unknown, limitBytes: number): number {
  const seen = new Set<object>()
  const waiting = [value]
  let bytes = 0
  while (waiting.length > 0 && bytes <= limitBytes) {
    const next = waiting.pop()
    bytes += ownBytes(next)
    if (typeof next !== 'object' || next === null || isBinary(next)) continue
    if (seen.has(next)) continue
    seen.add(next)
    // A list of a billion is too large by its length alone: nothing is made ready for it.
    if (bytes + lengthOf(next) * LEAST_BYTES > limitBytes) return limitBytes + 1
    for (const member of membersOf(next)) waiting.push(member)
  }
  return bytes
}

function ownBytes(value: unknown): number {
  if (typeof value === 'string') return LEAST_BYTES + value.length
  return LEAST_BYTES + (isBinary(value) ? value.byteLength : 0)
}

function isBinary(value: unknown): value is ArrayBufferView | ArrayBufferLike {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
}

function lengthOf(value: object): number {
  if (Array.isArray(value)) return value.length
  return value instanceof Map || value instanceof Set ? value.size : 0
}

function* membersOf(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) yield* value
  else if (value instanceof Map) for (const pair of value) yield* pair
  else if (value instanceof Error) yield* [value.message, value.stack, value.cause]
  else for (const [key, member] of Object.entries(value)) yield* [key, member]
}
