import { RunInferenceError } from '../errors.ts'
import { INDEX, INDEX_STRIDE } from './fetched-block.ts'
import { saturated } from './int64.ts'
import type { RecordBatchHeader } from './record-batch-header.ts'
import { VarintCursor } from './varint.ts'

/** Length, attributes, two deltas, and the lengths of key, value and headers: one byte each, at least. */
export const MIN_RECORD_BYTES = 7

/** Positions, offsets and timestamps of the records found so far. */
export interface RecordIndex {
  readonly positions: Int32Array
  readonly offsets: Float64Array
  readonly timestamps: Float64Array
  count: number
}

/**
 * Notes where the records of one batch lie; those before `startOffset` are left out.
 * @param start where the first record begins in `bytes`
 * @param limit no record may reach past this
 */
export function indexRecords(
  batch: RecordBatchHeader,
  bytes: Buffer,
  start: number,
  limit: number,
  startOffset: number,
  index: RecordIndex,
  where: string,
): void {
  const { positions, offsets, timestamps } = index
  const { baseOffset, lastOffset, baseTimestamp, logAppendTime } = batch
  const appendTime = saturated(batch.maxTimestamp)
  const cursor = new VarintCursor(bytes, start)
  let filled = index.count
  let before = baseOffset - 1
  for (let i = 0; i < batch.count; i++) {
    const bodyLength = cursor.varint()
    const end = cursor.at + bodyLength
    cursor.at++ // The attributes of a record; none are defined.
    const timestamp = baseTimestamp + cursor.varlong()
    const offset = baseOffset + cursor.varint()
    const keyLength = cursor.varint()
    const keyStart = cursor.at
    if (keyLength > 0) cursor.at += keyLength
    const valueLength = cursor.varint()
    const valueStart = cursor.at
    if (valueLength > 0) cursor.at += valueLength
    const headerCount = cursor.varint()
    if (bodyLength < 0 || end > limit || cursor.at > end || headerCount < 0) throw misread(batch, i, where)
    if (headerCount === 0 && cursor.at !== end) throw misread(batch, i, where)
    if (!(offset > before && offset <= lastOffset)) throw outOfOrder(batch, i, offset, where)
    before = offset
    if (offset >= startOffset) {
      const at = filled * INDEX_STRIDE
      positions[at + INDEX.keyStart] = keyLength < 0 ? -1 : keyStart
      positions[at + INDEX.keyEnd] = keyLength < 0 ? -1 : keyStart + keyLength
      positions[at + INDEX.valueStart] = valueLength < 0 ? -1 : valueStart
      positions[at + INDEX.valueEnd] = valueLength < 0 ? -1 : valueStart + valueLength
      positions[at + INDEX.headersStart] = cursor.at
      positions[at + INDEX.headersEnd] = end
      positions[at + INDEX.headerCount] = headerCount
      offsets[filled] = offset
      timestamps[filled] = logAppendTime ? appendTime : saturated(timestamp)
      filled++
    }
    cursor.at = end
  }
  index.count = filled
}

function misread(batch: RecordBatchHeader, i: number, where: string): RunInferenceError {
  return new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${where}: record ${i} of ${batch.count} in the batch at offset ${batch.baseOffset} has lengths that leave its record; inspect the batch with kafka-dump-log.`,
  )
}

function outOfOrder(batch: RecordBatchHeader, i: number, offset: number, where: string): RunInferenceError {
  return new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${where}: record ${i} of ${batch.count} in the batch of offsets ${batch.baseOffset} to ${batch.lastOffset} has offset ${offset}; expected rising ones inside of it. Inspect the batch with kafka-dump-log.`,
  )
}

/** A batch that claims more records than its bytes can hold. */
export function tooMany(batch: RecordBatchHeader, bytes: number, where: string): RunInferenceError {
  return new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${where}: the batch at offset ${batch.baseOffset} claims ${batch.count} records in ${bytes} bytes, and one takes at least ${MIN_RECORD_BYTES}; inspect the batch with kafka-dump-log.`,
  )
}

/** A batch with offsets that the batches in front of it, or the log, cannot have left. */
export function overlapping(batch: RecordBatchHeader, expected: number, where: string): RunInferenceError {
  return new RunInferenceError(
    'RECORDS_UNREADABLE',
    `${where}: a record batch of offsets ${batch.baseOffset} to ${batch.lastOffset} stands where offsets from ${expected} on were expected; inspect the partition with kafka-dump-log.`,
  )
}
