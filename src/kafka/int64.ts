import { RunInferenceError } from '../errors.ts'

const TWO_TO_32 = 0x1_0000_0000

/** A big-endian 64-bit integer as a plain number; offsets, timestamps and producer ids stay far below 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  const value = bytes.readInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4)
  if (!Number.isSafeInteger(value)) {
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `The 64-bit value at byte ${at} (${bytes.readBigInt64BE(at)}) is not below 2^53, which no offset, timestamp or producer id should reach; inspect the partition with kafka-dump-log.`,
    )
  }
  return value
}

/** Writes an integer below 2^53 in absolute value as eight bytes, big-endian, and returns the end. */
export function writeInt64(into: Buffer, at: number, value: number): number {
  into.writeInt32BE(Math.floor(value / TWO_TO_32), at)
  return into.writeInt32BE(value | 0, at + 4)
}
