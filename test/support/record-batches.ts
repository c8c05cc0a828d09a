/** Record batches for tests: built by our builder, then changed to what a broker or another producer would have stored. */
import { crc32c } from '../../src/kafka/crc32c.ts'
import { writeInt64 } from '../../src/kafka/int64.ts'
import { RecordBatchBuilder, type RecordRanges, type SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { ATTRIBUTE, BATCH } from '../../src/kafka/record-batch-format.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'

export interface TestRecord {
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** A record with little to say. */
export function plainRecord(value: string, key: Buffer | null = null): TestRecord {
  return { timestamp: 1000, key, value: Buffer.from(value), headers: [] }
}

export function ranges(record: TestRecord): RecordRanges {
  const headers = encodeHeaders(record.headers)
  return {
    timestamp: record.timestamp,
    key: record.key,
    keyStart: 0,
    keyEnd: record.key?.length ?? 0,
    value: record.value,
    valueStart: 0,
    valueEnd: record.value?.length ?? 0,
    headers,
    headersStart: 0,
    headersEnd: headers.length,
    headerCount: record.headers.length,
    ownHeaders: null,
    ownHeadersStart: 0,
    ownHeadersEnd: 0,
    ownHeaderCount: 0,
  }
}

export function sealedBatch(records: readonly TestRecord[], topic = 't', partition = 0): SealedBatch {
  const builder = new RecordBatchBuilder(topic, partition, 2 ** 30)
  for (const record of records) builder.append(ranges(record))
  return builder.seal()
}

export interface StoredFields {
  readonly baseOffset?: number
  /** Offset of the last record that the batch had when it was written; compaction may have removed it. */
  readonly lastOffset?: number
  /** Set by a topic with LogAppendTime. */
  readonly appendTime?: number
  readonly producerId?: number
  readonly transactional?: boolean
  readonly control?: boolean
  readonly magic?: number
  readonly count?: number
}

/** The batch as the log has it, with a CRC that matches. */
export function storedBatch(sealed: Buffer, fields: StoredFields = {}): Buffer {
  const bytes = Buffer.from(sealed)
  const baseOffset = fields.baseOffset ?? 0
  writeInt64(bytes, BATCH.baseOffset, baseOffset)
  if (fields.lastOffset !== undefined) bytes.writeInt32BE(fields.lastOffset - baseOffset, BATCH.lastOffsetDelta)
  if (fields.producerId !== undefined) writeInt64(bytes, BATCH.producerId, fields.producerId)
  if (fields.magic !== undefined) bytes.writeInt8(fields.magic, BATCH.magic)
  if (fields.count !== undefined) bytes.writeInt32BE(fields.count, BATCH.count)
  let attributes = bytes.readInt16BE(BATCH.attributes)
  if (fields.transactional || fields.control) attributes |= ATTRIBUTE.transactional
  if (fields.control) attributes |= ATTRIBUTE.control
  if (fields.appendTime !== undefined) {
    attributes |= ATTRIBUTE.logAppendTime
    writeInt64(bytes, BATCH.maxTimestamp, fields.appendTime)
  }
  bytes.writeInt16BE(attributes, BATCH.attributes)
  bytes.writeUInt32BE(crc32c(bytes, BATCH.attributes, bytes.length), BATCH.crc)
  return bytes
}

/** `values` from `baseOffset` on, one batch. */
export function valuesAt(baseOffset: number, values: readonly string[], fields: StoredFields = {}): Buffer {
  return storedBatch(sealedBatch(values.map(value => plainRecord(value))).bytes, { ...fields, baseOffset })
}

/** The control batch that ends a transaction. */
export function endMarker(kind: 'abort' | 'commit', baseOffset: number, producerId: number): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1])
  const marker = { timestamp: 1000, key, value: Buffer.alloc(6), headers: [] }
  return storedBatch(sealedBatch([marker]).bytes, { baseOffset, producerId, control: true })
}

/** The records of a block as objects. */
export function recordsOf(block: RecordBlock): (TestRecord & { readonly offset: number })[] {
  return Array.from({ length: block.count }, (_, i) => ({
    offset: block.offset(i),
    timestamp: block.timestamp(i),
    key: block.key(i),
    value: block.value(i),
    headers: block.headers(i),
  }))
}

/** The values of a block as text. */
export function valuesOf(block: RecordBlock): (string | undefined)[] {
  return recordsOf(block).map(record => record.value?.toString())
}
