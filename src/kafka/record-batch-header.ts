import { RunInferenceError } from '../errors.ts'
import { crc32c } from './crc32c.ts'
import { readInt64, readInt64Rounded } from './int64.ts'
import { ATTRIBUTE, BATCH, LENGTH_PREFIX, MAGIC_V2 } from './record-batch-format.ts'

/** The fixed fields of one record batch, and where it lies in the bytes that it was read from. */
export interface RecordBatchHeader {
  readonly start: number
  readonly end: number
  readonly baseOffset: number
  /** Offset of the last record that the batch was written with, even if compaction removed it since. */
  readonly lastOffset: number
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number
  readonly logAppendTime: boolean
  readonly transactional: boolean
  readonly control: boolean
  /** Timestamps are the producer's: any 64-bit number, so not exact beyond 2^53. */
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  /** −1 when the producer was neither idempotent nor transactional. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Records that are in the batch now. */
  readonly count: number
}

/**
 * The header of the batch that begins at `at`; undefined when the bytes end before the batch does, as the last batch of
 * a Fetch response may.
 * @param where names the partition in errors
 * @throws RunInferenceError RECORDS_UNREADABLE for message formats 0 and 1, impossible lengths, and a CRC that does not
 * match
 */
export function readRecordBatchHeader(
  bytes: Buffer,
  at: number,
  where: string,
  options: { readonly checkCrc: boolean },
): RecordBatchHeader | undefined {
  if (bytes.length - at <= BATCH.magic) return undefined
  const magic = bytes.readInt8(at + BATCH.magic)
  const length = bytes.readInt32BE(at + BATCH.length)
  const baseOffset = readInt64(bytes, at, `${where}: the base offset of a record batch`)
  if (magic !== MAGIC_V2) {
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `${where}: the records at offset ${baseOffset} have message format ${magic}; expected 2 (Kafka 0.11 and later). Copy the topic with a current client, or skip to a later offset.`,
    )
  }
  const end = at + LENGTH_PREFIX + length
  if (end < at + BATCH.records) {
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `${where}: the record batch at offset ${baseOffset} claims ${length} bytes, fewer than its own header; inspect the partition with kafka-dump-log.`,
    )
  }
  if (end > bytes.length) return undefined
  if (options.checkCrc) compareCrc(bytes, at, end, `${where}: the record batch at offset ${baseOffset}`)
  const attributes = bytes.readInt16BE(at + BATCH.attributes)
  const lastOffset = baseOffset + bytes.readInt32BE(at + BATCH.lastOffsetDelta)
  if (lastOffset >= Number.MAX_SAFE_INTEGER) {
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `${where}: the record batch at offset ${baseOffset} ends at offset ${lastOffset}; expected numbers below 2^53, as every broker counts.`,
    )
  }
  return {
    start: at,
    end,
    baseOffset,
    lastOffset,
    codec: attributes & ATTRIBUTE.codec,
    logAppendTime: (attributes & ATTRIBUTE.logAppendTime) !== 0,
    transactional: (attributes & ATTRIBUTE.transactional) !== 0,
    control: (attributes & ATTRIBUTE.control) !== 0,
    baseTimestamp: readInt64Rounded(bytes, at + BATCH.baseTimestamp),
    maxTimestamp: readInt64Rounded(bytes, at + BATCH.maxTimestamp),
    producerId: readInt64(bytes, at + BATCH.producerId, `${where}: the producer id at offset ${baseOffset}`),
    producerEpoch: bytes.readInt16BE(at + BATCH.producerEpoch),
    baseSequence: bytes.readInt32BE(at + BATCH.baseSequence),
    count: bytes.readInt32BE(at + BATCH.count),
  }
}

function compareCrc(bytes: Buffer, at: number, end: number, what: string): void {
  const stored = bytes.readUInt32BE(at + BATCH.crc)
  const computed = crc32c(bytes, at + BATCH.attributes, end)
  if (computed === stored) return
  throw new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${what} has CRC ${hex(stored)}, and its bytes have ${hex(computed)}. The log or the connection damaged it; fetch again, and inspect the partition with kafka-dump-log if it stays.`,
  )
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
