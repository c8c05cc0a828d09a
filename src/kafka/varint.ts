/**
 * Kafka's zig-zag variable-length integers, on plain numbers: 32-bit ones for lengths and offset deltas, 64-bit ones
 * (up to 2^53 in absolute value) for timestamp deltas.
 */

const INT32_MIN = -0x8000_0000
const INT32_MAX = 0x7fff_ffff
const SEVEN_BITS = 0x80

/** Bytes that `writeVarint` takes for an int32. */
export function sizeOfVarint(value: number): number {
  const zigZag = (value << 1) ^ (value >> 31)
  if (zigZag >= 0 && zigZag < SEVEN_BITS) return 1
  return ((38 - Math.clz32(zigZag)) / 7) | 0
}

/** Writes an int32 and returns the end. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let zigZag = (value << 1) ^ (value >> 31)
  let end = at
  while ((zigZag & ~0x7f) !== 0) {
    into[end++] = (zigZag & 0x7f) | SEVEN_BITS
    zigZag >>>= 7
  }
  into[end++] = zigZag
  return end
}

/** Bytes that `writeVarlong` takes for an integer up to 2^53 in absolute value. */
export function sizeOfVarlong(value: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return sizeOfVarint(value)
  let rest = Math.floor(magnitude(value) / 64)
  let size = 1
  while (rest > 0) {
    size++
    rest = Math.floor(rest / SEVEN_BITS)
  }
  return size
}

/** Writes an integer up to 2^53 in absolute value and returns the end. */
export function writeVarlong(into: Uint8Array, at: number, value: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return writeVarint(into, at, value)
  // Zig-zag would double the number and leave 2^53 behind, so its lowest bit, the sign, is written apart.
  const absolute = magnitude(value)
  let low = (absolute % 64) * 2 + (value < 0 ? 1 : 0)
  let rest = Math.floor(absolute / 64)
  let end = at
  while (rest > 0) {
    into[end++] = low | SEVEN_BITS
    low = rest % SEVEN_BITS
    rest = Math.floor(rest / SEVEN_BITS)
  }
  into[end++] = low
  return end
}

function magnitude(value: number): number {
  return value < 0 ? -value - 1 : value
}

/** Reads one after the other; `at` is where the next one begins. Reading past the end gives zeros, so check `at` afterwards. */
export class VarintCursor {
  readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** An int32. */
  varint(): number {
    const bytes = this.bytes
    let byte = bytes[this.at++]!
    let zigZag = byte & 0x7f
    let shift = 7
    while (byte >= SEVEN_BITS && shift < 35) {
      byte = bytes[this.at++]!
      zigZag |= (byte & 0x7f) << shift
      shift += 7
    }
    return (zigZag >>> 1) ^ -(zigZag & 1)
  }

  /** An int64 as a number; exact up to 2^53 in absolute value. */
  varlong(): number {
    const start = this.at
    const first = this.bytes[start]!
    if (first < SEVEN_BITS) {
      this.at = start + 1
      return (first >>> 1) ^ -(first & 1)
    }
    let absolute = (first & 0x7f) >>> 1
    let scale = 64
    let byte = first
    for (let length = 1; byte >= SEVEN_BITS && length < 10; length++) {
      byte = this.bytes[start + length]!
      absolute += (byte & 0x7f) * scale
      scale *= SEVEN_BITS
      this.at = start + length + 1
    }
    return (first & 1) === 1 ? -absolute - 1 : absolute
  }
}
