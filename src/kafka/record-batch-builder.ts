/**
 * Builds Kafka record batches (format v2, magic 2) directly in their wire form: one copy per record, no object per record.
 * Producer id, epoch, sequence and CRC are filled in by the writer when it sends.
 */

import { RunInferenceError } from '../errors.ts'
import { writeInt64 } from './int64.ts'
import { RangeCopier, viewOf } from './range-copier.ts'
import { BATCH, LENGTH_PREFIX, MAGIC_V2 } from './record-batch-format.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

/** One record to append, as ranges of larger buffers. Callers keep one of these and change it between appends. */
export interface RecordRanges {
  timestamp: number
  key: Buffer | null
  keyStart: number
  keyEnd: number
  value: Buffer | null
  valueStart: number
  valueEnd: number
  /** Headers carried over, in wire form without their count. */
  headers: Buffer | null
  headersStart: number
  headersEnd: number
  headerCount: number
  /** Our own headers behind them, in wire form without their count. */
  ownHeaders: Buffer | null
  ownHeadersStart: number
  ownHeadersEnd: number
  ownHeaderCount: number
}

/** A record without key, value and headers, to be filled in and appended again and again. */
export function emptyRecord(): RecordRanges {
  return {
    timestamp: 0,
    key: null,
    keyStart: 0,
    keyEnd: 0,
    value: null,
    valueStart: 0,
    valueEnd: 0,
    headers: null,
    headersStart: 0,
    headersEnd: 0,
    headerCount: 0,
    ownHeaders: null,
    ownHeadersStart: 0,
    ownHeadersEnd: 0,
    ownHeaderCount: 0,
  }
}

/** A finished batch. `bytes` is the whole record batch; producer fields are −1 and the CRC is not computed yet. */
export interface SealedBatch {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly bytes: Buffer
}

const FIRST_CAPACITY = 4096

/** One open batch for one output partition. After `seal` it is empty again and may be filled anew. */
export class RecordBatchBuilder {
  readonly topic: string
  readonly partition: number
  maxBytes: number

  #bytes: Buffer
  #view: DataView
  #end: number = BATCH.records
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0
  readonly #keys = new RangeCopier()
  readonly #values = new RangeCopier()
  readonly #headers = new RangeCopier()
  readonly #ownHeaders = new RangeCopier()

  constructor(topic: string, partition: number, maxBytes: number) {
    this.topic = topic
    this.partition = partition
    this.maxBytes = maxBytes
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY)
    this.#view = viewOf(this.#bytes)
  }

  /** Records appended since the last seal. */
  get count(): number {
    return this.#count
  }

  /** What sealing would give, in bytes. */
  get byteSize(): number {
    return this.#end
  }

  /** False when the batch holds records and this one does not fit in `maxBytes`: seal, then append it again. */
  append(record: RecordRanges): boolean {
    const timestamp = record.timestamp
    const timestampDelta = this.#count === 0 ? 0 : timestamp - this.#baseTimestamp
    if (!Number.isSafeInteger(timestampDelta) || !Number.isSafeInteger(timestamp)) throw badTimestamp(this, timestamp)
    const keyLength = record.key === null ? -1 : record.keyEnd - record.keyStart
    const valueLength = record.value === null ? -1 : record.valueEnd - record.valueStart
    const headersLength = record.headers === null ? 0 : record.headersEnd - record.headersStart
    const ownLength = record.ownHeaders === null ? 0 : record.ownHeadersEnd - record.ownHeadersStart
    const headerCount = record.headerCount + record.ownHeaderCount
    const bodyLength =
      1 +
      sizeOfVarlong(timestampDelta) +
      sizeOfVarint(this.#count) +
      sizeOfVarint(keyLength) +
      Math.max(keyLength, 0) +
      sizeOfVarint(valueLength) +
      Math.max(valueLength, 0) +
      sizeOfVarint(headerCount) +
      headersLength +
      ownLength
    const end = this.#end + sizeOfVarint(bodyLength) + bodyLength
    if (end > this.maxBytes && this.#count > 0) return false
    if (end > this.#bytes.length) this.#grow(end)
    const into = this.#bytes
    const view = this.#view
    let at = writeVarint(into, this.#end, bodyLength)
    into[at++] = 0 // Attributes of a record; none are defined.
    at = writeVarlong(into, at, timestampDelta)
    at = writeVarint(into, at, this.#count)
    at = writeVarint(into, at, keyLength)
    if (record.key !== null) at = this.#keys.copy(record.key, record.keyStart, record.keyEnd, into, view, at)
    at = writeVarint(into, at, valueLength)
    if (record.value !== null) at = this.#values.copy(record.value, record.valueStart, record.valueEnd, into, view, at)
    at = writeVarint(into, at, headerCount)
    if (record.headers !== null)
      at = this.#headers.copy(record.headers, record.headersStart, record.headersEnd, into, view, at)
    if (record.ownHeaders !== null)
      at = this.#ownHeaders.copy(record.ownHeaders, record.ownHeadersStart, record.ownHeadersEnd, into, view, at)
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    this.#end = at
    this.#count++
    return true
  }

  /** Finishes the batch, gives its bytes away, and is empty again. */
  seal(): SealedBatch {
    if (this.#count === 0) {
      throw new RunInferenceError(
        'BUG',
        `An empty record batch for ${this.topic}/${this.partition} was sealed; expected at least one record.`,
      )
    }
    const size = this.#end
    // A buffer much larger than its batch would hold memory until the broker has acknowledged it.
    const exact = this.#bytes.length - size <= size >>> 2
    const bytes = exact ? this.#bytes.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    if (!exact) this.#bytes.copy(bytes, BATCH.records, BATCH.records, size)
    this.#writeHeader(bytes)
    const sealed = { topic: this.topic, partition: this.partition, count: this.#count, bytes }
    this.#begin(exact, size)
    return sealed
  }

  #writeHeader(bytes: Buffer): void {
    writeInt64(bytes, BATCH.baseOffset, 0)
    bytes.writeInt32BE(bytes.length - LENGTH_PREFIX, BATCH.length)
    bytes.writeInt32BE(-1, BATCH.leaderEpoch)
    bytes.writeInt8(MAGIC_V2, BATCH.magic)
    bytes.writeInt32BE(0, BATCH.crc)
    bytes.writeInt16BE(0, BATCH.attributes)
    bytes.writeInt32BE(this.#count - 1, BATCH.lastOffsetDelta)
    writeInt64(bytes, BATCH.baseTimestamp, this.#baseTimestamp)
    writeInt64(bytes, BATCH.maxTimestamp, this.#maxTimestamp)
    writeInt64(bytes, BATCH.producerId, -1)
    bytes.writeInt16BE(-1, BATCH.producerEpoch)
    bytes.writeInt32BE(-1, BATCH.baseSequence)
    bytes.writeInt32BE(this.#count, BATCH.count)
  }

  /** Starts the next batch with room for one like the last, so that a steady stream does not grow buffers again. */
  #begin(givenAway: boolean, lastSize: number): void {
    if (givenAway) {
      this.#bytes = Buffer.allocUnsafeSlow(
        Math.max(FIRST_CAPACITY, Math.min(lastSize + (lastSize >>> 4), this.maxBytes)),
      )
      this.#view = viewOf(this.#bytes)
    }
    this.#end = BATCH.records
    this.#count = 0
    this.#keys.forget()
    this.#values.forget()
    this.#headers.forget()
    this.#ownHeaders.forget()
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, Math.min(this.#bytes.length * 2, this.maxBytes))
    const larger = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

function badTimestamp(builder: RecordBatchBuilder, timestamp: number): RunInferenceError {
  return new RunInferenceError(
    'BUG',
    `A record for ${builder.topic}/${builder.partition} has timestamp ${timestamp}; expected whole milliseconds below 2^53.`,
  )
}
