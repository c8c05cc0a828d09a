/** Avro strings that are UTF-8 indeed, and longs of all 64 bits. */
import { bytesLeft } from './avro-bounds.ts'
import { type ErrorHook, LONG_BYTES, longType, StringType, type Tap } from './avsc.ts'
import { readUtf8 } from './utf8-text.ts'

/** Reads a string; avsc would put U+FFFD in the place of bytes that are not UTF-8. */
export function readText(tap: Tap): string {
  const start = tap.pos
  const text = tap.readString()
  // Past the end: the position tells whoever asked for the whole value.
  if (text === undefined || bytesLeft(tap) < 0) return ''
  if (!text.includes('\ufffd')) return text
  const bytes = tap.buf.subarray(start, tap.pos)
  const lengthBytes = bytes.findIndex(byte => byte < 0x80) + 1
  const checked = readUtf8(bytes, lengthBytes, bytes.length)
  if (checked === undefined) throw new Error('a string that is not UTF-8')
  return checked
}

class Utf8String extends StringType {
  override _read(tap: Tap): string {
    return readText(tap)
  }

  override _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'string' || !value.isWellFormed()) throw new Error('not a string, or one with lone surrogates')
    tap.writeString(value)
  }

  override _check(value: unknown, _flags?: unknown, hook?: ErrorHook): boolean {
    if (typeof value === 'string' && value.isWellFormed()) return true
    hook?.(value, this)
    return false
  }
}

export const utf8String = new Utf8String()

const MIN_LONG = -(2n ** 63n)
const MAX_LONG = 2n ** 63n - 1n

/** Longs as BigInts. Whole numbers are taken, too, where they are safe. */
export const bigLong = longType({
  fromBuffer: varint => {
    if (varint.length > LONG_BYTES) throw new Error(`a long of ${varint.length} bytes`)
    let folded = 0n
    for (let i = varint.length - 1; i >= 0; i--) folded = (folded << 7n) | BigInt(varint[i]! & 0x7f)
    if (folded >= 2n ** 64n) throw new Error('a long of more than 64 bits')
    return (folded >> 1n) ^ -(folded & 1n)
  },
  toBuffer: (value: bigint | number) => {
    const long = BigInt(value)
    let folded = BigInt.asUintN(64, (long << 1n) ^ (long >> 63n))
    const bytes: number[] = []
    for (; folded > 0x7fn; folded >>= 7n) bytes.push(Number(folded & 0x7fn) | 0x80)
    bytes.push(Number(folded))
    return Buffer.from(bytes)
  },
  fromJSON: (value: number | string | bigint) => BigInt(value),
  toJSON: (value: bigint) => String(value),
  isValid: value => (typeof value === 'bigint' ? value >= MIN_LONG && value <= MAX_LONG : Number.isSafeInteger(value)),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})
