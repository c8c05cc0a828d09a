/**
 * Builds Kafka record batches (format v2, magic 2) directly in their wire form: one copy per record, no object per record.
 * Producer id, epoch, sequence and CRC are filled in by the writer when it sends.
 */

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

/** A finished batch. `bytes` is the whole record batch; producer fields are −1 and the CRC is not computed yet. */
export interface SealedBatch {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly bytes: Buffer
}
