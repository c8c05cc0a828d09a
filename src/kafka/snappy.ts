import { createRequire } from 'node:module'

/** Blocks of the framing that the Java client writes (xerial's): this magic, two version numbers, then length and block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16
/** Of the length in front of a block. */
const MAX_LENGTH_BYTES = 5

interface Snappy {
  compress(bytes: Uint8Array): Promise<Buffer>
  uncompressSync(bytes: Uint8Array): Buffer
}

let loaded: Snappy | undefined

/** Loaded when the first snappy batch comes, so that platforms without a build lose this codec only. */
function snappy(): Snappy {
  loaded ??= createRequire(import.meta.url)('snappy') as Snappy
  return loaded
}

/**
 * Decompresses a raw block, as librdkafka writes it, or xerial's framing, as Java does. Throws for bytes of another form, and
 * for what says that it has more than `maxBytes`: the library takes that memory before it looks at the rest.
 */
export function snappyDecompress(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < XERIAL_HEADER_BYTES || !bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    claimedBytes(bytes, 0, maxBytes)
    return snappy().uncompressSync(bytes)
  }
  const blocks: Buffer[] = []
  let room = maxBytes
  let at = XERIAL_HEADER_BYTES
  while (at < bytes.length) {
    const end = at + 4 + bytes.readInt32BE(at)
    if (end < at + 4 || end > bytes.length) throw new RangeError(`snappy block at byte ${at} reaches past the end`)
    room -= claimedBytes(bytes, at + 4, room)
    blocks.push(snappy().uncompressSync(bytes.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}

/** A block begins with its length when decompressed, as a varint. */
function claimedBytes(bytes: Buffer, at: number, maxBytes: number): number {
  let length = 0
  for (let i = 0, factor = 1; i < MAX_LENGTH_BYTES; i++, factor *= 128) {
    const byte = bytes[at + i] ?? 0
    length += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  if (length > maxBytes) throw new RangeError(`a block of ${length} bytes, more than ${maxBytes}`)
  return length
}

/** Compresses to a raw block, which every Kafka client reads. */
export function snappyCompress(bytes: Buffer): Promise<Buffer> {
  return snappy().compress(bytes)
}
