/**
 * The checksum of record batches. The processor's own CRC instruction, through @node-rs/crc32, is about five times as
 * fast as JavaScript; where that package has no build for the platform, the sliced tables give the same numbers.
 */
import { createRequire } from 'node:module'
import { crc32cSliced } from './crc32c-sliced.ts'

type NativeCrc32c = (bytes: Uint8Array) => number

/** Below this many bytes the call into native code costs more than the tables. */
const NATIVE_MIN_BYTES = 512

const native = loadNative()

/** CRC-32C of `bytes[start, end)`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  if (native === undefined || end - start < NATIVE_MIN_BYTES) return crc32cSliced(bytes, start, end)
  return native(bytes.subarray(start, end))
}

/** `native` or `javascript`; for diagnostics. */
export const crc32cImplementation = native === undefined ? 'javascript' : 'native'

function loadNative(): NativeCrc32c | undefined {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: NativeCrc32c }).crc32c
  } catch {
    return undefined // No build for this platform: slower, and the same result.
  }
}
