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

/** Decompresses an LZ4 frame. */
export function lz4Decompress(bytes: Buffer): Buffer {
  return lz4().decompressFrameSync(bytes)
}

/** Compresses to one LZ4 frame of independent blocks, the kind that the Java client reads. */
export function lz4Compress(bytes: Buffer): Promise<Buffer> {
  return lz4().compressFrame(bytes)
}
