import { createRequire } from 'node:module'

/** Blocks of the framing that the Java client writes (xerial's): this magic, two version numbers, then length and block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

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

/** Decompresses a raw block, as librdkafka writes it, or xerial's framing, as Java does. */
export function snappyDecompress(bytes: Buffer): Buffer {
  if (bytes.length < XERIAL_HEADER_BYTES || !bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return snappy().uncompressSync(bytes)
  }
  const blocks: Buffer[] = []
  let at = XERIAL_HEADER_BYTES
  while (at < bytes.length) {
    const end = at + 4 + bytes.readInt32BE(at)
    if (end < at + 4 || end > bytes.length) throw new RangeError(`snappy block at byte ${at} reaches past the end`)
    blocks.push(snappy().uncompressSync(bytes.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}

/** Compresses to a raw block, which every Kafka client reads. */
export function snappyCompress(bytes: Buffer): Promise<Buffer> {
  return snappy().compress(bytes)
}
