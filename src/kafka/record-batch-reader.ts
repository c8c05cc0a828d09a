/**
 * Reads what a Fetch brought for one partition into a RecordBlock: positions are noted, bytes stay where they are.
 * 1. A record is in the block if its offset is at least `startOffset`, it is no control record, and, when reading
 *    committed, its transaction was not aborted.
 * 2. `nextOffset` is behind every complete batch of the response, also behind control batches, aborted ones, and ones
 *    that compaction thinned or emptied.
 * 3. A batch that the response cuts off is left for the next fetch.
 * 4. No batch is looked into before its CRC has matched.
 * 5. Memory is in proportion to bytes that are there: a count that they cannot hold is refused, and of batches that are
 *    much larger than they came the rest is left for the next fetch.
 * 6. Offsets rise from record to record, inside their batch: what is committed is never behind what was read.
 */

import { type AbortedTransaction, AbortedTransactions } from './aborted-transactions.ts'
import { decompressRecords } from './compression.ts'
import { FetchedBlock, INDEX_STRIDE } from './fetched-block.ts'
import { BATCH } from './record-batch-format.ts'
import { type RecordBatchHeader, readRecordBatchHeader } from './record-batch-header.ts'
import type { RecordBlock } from './record-block.ts'
import { indexRecords, MIN_RECORD_BYTES, overlapping, type RecordIndex, tooMany } from './record-index.ts'

/** Once compressed batches have given so many bytes, those behind are left for the next fetch. */
const ENOUGH_BYTES = 16 * 1024 * 1024

/** One partition of a Fetch response. */
export interface FetchedRecords {
  readonly topic: string
  readonly partition: number
  /** Record batches one behind the other; the last may be cut off. */
  readonly records: Buffer
  /** The first offset that is wanted; a batch may begin before it. */
  readonly startOffset: number
  /** The partition's log end, or last stable offset when reading committed. */
  readonly endOffset: number
  /** The aborted transactions of a read_committed fetch; leave out to see every record. */
  readonly abortedTransactions?: readonly AbortedTransaction[] | undefined
  /** Whether checksums are compared; default true. */
  readonly checkCrc?: boolean
}

/**
 * The records of one partition of a Fetch response. Views into `records` unless a batch was compressed.
 * @throws RunInferenceError RECORDS_UNREADABLE
 */
export function readRecordBlock(fetched: FetchedRecords): RecordBlock {
  const { topic, partition, records, startOffset, endOffset } = fetched
  const where = `${topic}/${partition}`
  const options = { checkCrc: fetched.checkCrc ?? true }
  const aborted = fetched.abortedTransactions?.length ? new AbortedTransactions(fetched.abortedTransactions) : undefined
  const wanted: RecordBatchHeader[] = []
  const sections: Buffer[] = []
  let capacity = 0
  let compressed = false
  let decompressedBytes = 0
  let nextOffset = startOffset
  let behindLast = 0
  for (let at = 0; decompressedBytes < ENOUGH_BYTES; ) {
    const batch = readRecordBatchHeader(records, at, where, options)
    if (batch === undefined) break
    at = batch.end
    if (batch.baseOffset < behindLast) throw overlapping(batch, behindLast, where)
    behindLast = batch.lastOffset + 1
    const skipped = aborted?.covers(batch, records) === true || batch.control || batch.lastOffset < startOffset
    if (batch.lastOffset >= nextOffset) nextOffset = batch.lastOffset + 1
    if (skipped || batch.count <= 0) continue
    let section = records.subarray(batch.start + BATCH.records, batch.end)
    if (batch.codec !== 0) {
      section = decompressRecords(batch.codec, section, `${where} offset ${batch.baseOffset}`)
      compressed = true
      decompressedBytes += section.length
    }
    if (batch.count > section.length / MIN_RECORD_BYTES) throw tooMany(batch, section.length, where)
    wanted.push(batch)
    sections.push(section)
    capacity += batch.count
  }
  const bytes = compressed ? Buffer.concat(sections) : records
  const index: RecordIndex = {
    positions: new Int32Array(capacity * INDEX_STRIDE),
    offsets: new Float64Array(capacity),
    timestamps: new Float64Array(capacity),
    count: 0,
  }
  let concatenated = 0
  for (const [i, batch] of wanted.entries()) {
    // Decompressed sections stand one behind the other; in the response there are headers between them.
    const start = compressed ? concatenated : batch.start + BATCH.records
    concatenated += sections[i]!.length
    indexRecords(batch, bytes, start, start + sections[i]!.length, startOffset, index, where)
  }
  return new FetchedBlock({
    topic,
    partition,
    count: index.count,
    bytes,
    nextOffset,
    // A broker may tell where the log ended before the records came that its answer has.
    endOffset: Math.max(endOffset, nextOffset),
    retainedBytes: bytes.length + capacity * (INDEX_STRIDE * 4 + 16),
    index: index.positions,
    offsets: index.offsets,
    timestamps: index.timestamps,
  })
}
