import { createRequire } from 'node:module'

interface Lz4 {
  compressFrame(bytes: Uint8Array): Promise<Buffer>
  decompressFrameSync(bytes: Buffer): Buffer
}

let loaded: Lz4 | undefined

/** Loaded when the first lz4 batch comes, so that platforms without a build lose this codec only. */
function lz4(): Lz4 {
  loaded ??= createRequire(import.meta.url)('lz4-napi') as Lz4
  return loaded
}

/** Decompresses an LZ4 frame; throws for bytes of another form, and for what could become more than `maxBytes`. */
export function lz4Decompress(bytes: Buffer, maxBytes: number): Buffer {
  const most = mostBytes(bytes)
  if (most > maxBytes) throw new RangeError(`a frame of up to ${most} bytes, more than ${maxBytes}`)
  return lz4().decompressFrameSync(bytes)
}

/** Magic number, flags, block sizes; the checksum of these stands behind what is optional. */
const FIXED_HEADER_BYTES = 6
const FLAG = { blockChecksums: 0x10, contentSize: 0x08, dictionary: 0x01 } as const
const STORED = 0x8000_0000
/** A block of LZ4 does not grow more than this. */
const MAX_RATIO = 255

/** What the blocks of a frame can become: the library itself knows no limit. */
function mostBytes(bytes: Buffer): number {
  if (bytes.length <= FIXED_HEADER_BYTES) return 0
  const flags = bytes[4]!
  const blockBytes = 1 << (8 + 2 * ((bytes[5]! >>> 4) & 7))
  let at = FIXED_HEADER_BYTES + 1 + (flags & FLAG.contentSize ? 8 : 0) + (flags & FLAG.dictionary ? 4 : 0)
  let most = 0
  while (at + 4 <= bytes.length) {
    const said = bytes.readUInt32LE(at)
    if (said === 0) break
    const size = said % STORED
    most += said >= STORED ? size : Math.min(blockBytes, size * MAX_RATIO)
    at += 4 + size + (flags & FLAG.blockChecksums ? 4 : 0)
  }
  return most
}

/** Compresses to one LZ4 frame of independent blocks, the kind that the Java client reads. */
export function lz4Compress(bytes: Buffer): Promise<Buffer> {
  return lz4().compressFrame(bytes)
}
