import { RunInferenceError } from '../errors.ts'

const TWO_TO_32 = 0x1_0000_0000

/** A big-endian 64-bit integer as the nearest number; exact below 2^53. */
export function readInt64Rounded(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4)
}

/**
 * A big-endian 64-bit integer that stays below 2^53, as offsets and producer ids do.
 * @param what names the value in the error
 * @throws RunInferenceError RECORDS_UNREADABLE when it does not
 */
export function readInt64(bytes: Buffer, at: number, what: string): number {
  const value = readInt64Rounded(bytes, at)
  if (Number.isSafeInteger(value)) return value
  throw new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${what} is ${bytes.readBigInt64BE(at)}; expected a number below 2^53, as every broker counts. The bytes are damaged, or no Kafka broker wrote them.`,
  )
}

/** The number, or the nearest one that is below 2^53 in absolute value. */
export function saturated(value: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

/** Writes an integer below 2^53 in absolute value as eight bytes, big-endian, and returns the end. */
export function writeInt64(into: Buffer, at: number, value: number): number {
  into.writeInt32BE(Math.floor(value / TWO_TO_32), at)
  return into.writeInt32BE(value | 0, at + 4)
}
