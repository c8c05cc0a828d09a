/**
 * The four compression codecs of record batches. Reading decompresses synchronously (about a millisecond per MiB);
 * writing compresses on a thread pool.
 */
import { promisify } from 'node:util'
import { gunzipSync, gzip, zstdCompress, zstdDecompressSync } from 'node:zlib'
import { RunInferenceError } from '../errors.ts'
import { lz4Compress, lz4Decompress } from './lz4.ts'
import type { SealedBatch } from './record-batch-builder.ts'
import { ATTRIBUTE, BATCH, LENGTH_PREFIX } from './record-batch-format.ts'
import { snappyCompress, snappyDecompress } from './snappy.ts'

export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

interface Codec {
  /** The three bits in the attributes of a batch. */
  readonly id: number
  readonly compress: (bytes: Buffer) => Promise<Buffer>
  readonly decompress: (bytes: Buffer) => Buffer
}

/** A batch that grows beyond this is damaged or hostile: brokers take batches of a mebibyte, unless told otherwise. */
export const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024
const bounded = { maxOutputLength: MAX_DECOMPRESSED_BYTES }

const CODECS: Readonly<Record<Exclude<CompressionName, 'none'>, Codec>> = {
  gzip: { id: 1, compress: promisify(gzip), decompress: bytes => gunzipSync(bytes, bounded) },
  snappy: { id: 2, compress: snappyCompress, decompress: bytes => snappyDecompress(bytes, MAX_DECOMPRESSED_BYTES) },
  lz4: { id: 3, compress: lz4Compress, decompress: bytes => lz4Decompress(bytes, MAX_DECOMPRESSED_BYTES) },
  zstd: { id: 4, compress: promisify(zstdCompress), decompress: bytes => zstdDecompressSync(bytes, bounded) },
}

const NAME_BY_ID = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly CompressionName[]

/**
 * The records of a compressed batch as they were before.
 * @param codecId the codec bits of the batch's attributes, not 0
 * @throws RunInferenceError RECORDS_UNREADABLE when the codec is unknown or the bytes are not its own
 */
export function decompressRecords(codecId: number, bytes: Buffer, where: string): Buffer {
  const name = NAME_BY_ID[codecId]
  if (name === undefined || name === 'none') {
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `${where}: unknown compression codec ${codecId}; expected 1 to 4 (gzip, snappy, lz4, zstd).`,
    )
  }
  try {
    return CODECS[name].decompress(bytes)
  } catch (error) {
    throw RunInferenceError.from(
      error,
      'RECORDS_UNREADABLE',
      `${where}: ${bytes.length} bytes of ${name} could not be decompressed; inspect the batch with kafka-dump-log`,
    )
  }
}

/** The same batch with its records compressed, or the batch itself when that would not make it smaller. Stamp it afterwards. */
export async function compressBatch(batch: SealedBatch, compression: CompressionName): Promise<SealedBatch> {
  if (compression === 'none') return batch
  const codec = CODECS[compression]
  const records = await codec.compress(batch.bytes.subarray(BATCH.records))
  const size = BATCH.records + records.length
  if (size >= batch.bytes.length) return batch
  const bytes = Buffer.allocUnsafeSlow(size)
  batch.bytes.copy(bytes, 0, 0, BATCH.records)
  records.copy(bytes, BATCH.records)
  bytes.writeInt32BE(size - LENGTH_PREFIX, BATCH.length)
  const attributes = bytes.readInt16BE(BATCH.attributes)
  bytes.writeInt16BE((attributes & ~ATTRIBUTE.codec) | codec.id, BATCH.attributes)
  return { ...batch, bytes }
}
