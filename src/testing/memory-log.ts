/**
 * One partition of the broker in memory: record batches as bytes, as a broker keeps them.
 *
 * 1. A batch is stored whole or refused whole, for the reasons and with the names that Kafka has.
 * 2. A batch that was stored before (same producer, epoch and sequence) is acknowledged again with its offset, not stored.
 * 3. Under LogAppendTime the batch carries the broker's time, and a checksum that fits.
 * 4. Reading is read_committed: nothing behind the last stable offset, no record of an aborted transaction.
 * 5. Once a producer has written under an epoch, or a marker has ended a transaction under it, older ones are refused.
 */
import { RunInferenceError } from '../errors.ts'
import { crc32c } from '../kafka/crc32c.ts'
import { writeInt64 } from '../kafka/int64.ts'
import { ATTRIBUTE, BATCH } from '../kafka/record-batch-format.ts'
import { type RecordBatchHeader, readRecordBatchHeader } from '../kafka/record-batch-header.ts'
import { readRecordBlock } from '../kafka/record-batch-reader.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { controlBatch, type TransactionEnd } from './memory-control-batch.ts'
import { LogTransactions } from './memory-log-transactions.ts'

/** A broker remembers this many batches per producer. */
const REMEMBERED_BATCHES = 5
/** Default of message.timestamp.after.max.ms. */
const MAX_FUTURE_MS = 3_600_000
const SEQUENCES = 2 ** 31

export type AppendResult =
  | { readonly stored: true; readonly baseOffset: number }
  | {
      readonly stored: false
      readonly error: RefusalCode | 'OUT_OF_ORDER_SEQUENCE_NUMBER' | 'INVALID_PRODUCER_EPOCH'
    }

/** Why a broker refuses a batch for ever. */
export type RefusalCode = 'MESSAGE_TOO_LARGE' | 'INVALID_RECORD' | 'INVALID_TIMESTAMP'

interface StoredBatch {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
}

interface ProducerState {
  readonly epoch: number
  readonly recent: { readonly sequence: number; readonly count: number; readonly baseOffset: number }[]
}

export class MemoryLog {
  readonly topic: string
  readonly partition: number
  readonly #batches: StoredBatch[] = []
  readonly #producers = new Map<number, ProducerState>()
  readonly #transactions = new LogTransactions()
  #start = 0
  #end = 0

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** The first offset that is still there. */
  get start(): number {
    return this.#start
  }

  /** The offset of the next record. */
  get end(): number {
    return this.#end
  }

  /** Everything before this offset is decided. */
  get lastStableOffset(): number {
    return this.#transactions.stableBelow(this.#end)
  }

  append(batch: Buffer, configs: Readonly<Record<string, string>>, wallTimeMs: number): AppendResult {
    const header = readRecordBatchHeader(batch, 0, `${this.topic}/${this.partition}`, { checkCrc: true })
    if (header === undefined || header.end !== batch.length || header.count <= 0) return refused('INVALID_RECORD')
    if (batch.length > Number(configs['max.message.bytes'])) return refused('MESSAGE_TOO_LARGE')
    const logAppendTime = configs['message.timestamp.type'] === 'LogAppendTime'
    if (!logAppendTime && header.maxTimestamp > wallTimeMs + MAX_FUTURE_MS) return refused('INVALID_TIMESTAMP')
    if (configs['cleanup.policy']?.includes('compact') && this.#hasNullKey(batch)) return refused('INVALID_RECORD')
    const producer = this.#producerOf(header)
    if (producer !== undefined) {
      if (header.producerEpoch < producer.epoch) return refused('INVALID_PRODUCER_EPOCH')
      const before = producer.recent.find(
        ({ sequence, count }) => sequence === header.baseSequence && count === header.count,
      )
      if (before !== undefined) return { stored: true, baseOffset: before.baseOffset }
      const last = producer.recent.at(-1)
      const expected = last === undefined ? 0 : (last.sequence + last.count) % SEQUENCES
      if (header.baseSequence !== expected) return refused('OUT_OF_ORDER_SEQUENCE_NUMBER')
    }
    return this.#store(batch, header, producer, logAppendTime ? wallTimeMs : undefined)
  }

  #store(
    batch: Buffer,
    header: RecordBatchHeader,
    producer: ProducerState | undefined,
    appendTimeMs: number | undefined,
  ): AppendResult {
    const baseOffset = this.#end
    const bytes = Buffer.from(batch)
    writeInt64(bytes, BATCH.baseOffset, baseOffset)
    if (appendTimeMs !== undefined) {
      bytes.writeInt16BE(bytes.readInt16BE(BATCH.attributes) | ATTRIBUTE.logAppendTime, BATCH.attributes)
      writeInt64(bytes, BATCH.maxTimestamp, appendTimeMs)
      bytes.writeUInt32BE(crc32c(bytes, BATCH.attributes, bytes.length), BATCH.crc)
    }
    const lastOffset = baseOffset + header.count - 1
    this.#batches.push({ bytes, baseOffset, lastOffset, maxTimestamp: appendTimeMs ?? header.maxTimestamp })
    this.#end = lastOffset + 1
    if (producer !== undefined) {
      producer.recent.push({ sequence: header.baseSequence, count: header.count, baseOffset })
      if (producer.recent.length > REMEMBERED_BATCHES) producer.recent.shift()
    }
    if (header.transactional) this.#transactions.note(header.producerId, baseOffset)
    return { stored: true, baseOffset }
  }

  /** Writes the marker with which a transaction of this producer ends here. */
  endTransaction(
    producer: { readonly producerId: number; readonly epoch: number },
    end: TransactionEnd,
    wallTimeMs: number,
  ): void {
    const { topic, partition } = this
    const offset = this.#end
    const bytes = controlBatch({ topic, partition, offset }, producer, end, wallTimeMs)
    this.#batches.push({ bytes, baseOffset: offset, lastOffset: offset, maxTimestamp: wallTimeMs })
    this.#end++
    this.#transactions.end(producer.producerId, offset, end === 'abort')
    const known = this.#producers.get(producer.producerId)
    if (known === undefined || known.epoch < producer.epoch)
      this.#producers.set(producer.producerId, { epoch: producer.epoch, recent: [] })
  }

  #producerOf(header: RecordBatchHeader): ProducerState | undefined {
    if (header.producerId < 0) return undefined
    const known = this.#producers.get(header.producerId)
    if (known !== undefined && known.epoch >= header.producerEpoch) return known
    const fresh: ProducerState = { epoch: header.producerEpoch, recent: [] }
    this.#producers.set(header.producerId, fresh)
    return fresh
  }

  #hasNullKey(batch: Buffer): boolean {
    const block = this.#blockOf(batch, 0, 0)
    for (let i = 0; i < block.count; i++) if (block.keyStart(i) < 0) return true
    return false
  }

  /**
   * Records from this offset up to the last stable one, as one fetch brings them: whole batches, at least one, up to
   * about `maxBytes`.
   * @throws RunInferenceError OFFSET_OUT_OF_RANGE
   */
  read(from: number, maxBytes: number): RecordBlock {
    if (from < this.#start || from > this.#end) {
      throw new RunInferenceError(
        'OFFSET_OUT_OF_RANGE',
        `${this.topic}/${this.partition}: offset ${from} is wanted, the log holds ${this.#start} to ${this.#end - 1}`,
      )
    }
    const parts: Buffer[] = []
    const stable = this.lastStableOffset
    let size = 0
    let to = from
    for (let i = this.#indexOf(from); i < this.#batches.length; i++) {
      const { bytes, baseOffset, lastOffset } = this.#batches[i]!
      if (baseOffset >= stable || (parts.length > 0 && size + bytes.length > maxBytes)) break
      parts.push(bytes)
      size += bytes.length
      to = lastOffset + 1
    }
    return this.#blockOf(parts.length === 1 ? parts[0]! : Buffer.concat(parts), from, to)
  }

  /** The first offset that is at least this young, or the last stable one. */
  offsetAt(timestampMs: number): number {
    const stable = this.lastStableOffset
    for (const batch of this.#batches) {
      if (batch.baseOffset >= stable) break
      if (batch.maxTimestamp < timestampMs) continue
      const block = this.#blockOf(batch.bytes, this.#start, batch.lastOffset + 1)
      for (let i = 0; i < block.count; i++) if (block.timestamp(i) >= timestampMs) return block.offset(i)
    }
    return stable
  }

  /** Drops the records before this offset, as retention does. */
  deleteBefore(offset: number): void {
    this.#start = Math.min(Math.max(this.#start, offset), this.#end)
    while (this.#batches.length > 0 && this.#batches[0]!.lastOffset < this.#start) this.#batches.shift()
  }

  /**
   * Drops the batches without a record that is the newest of its key, and those with nothing but tombstones, markers or what was
   * aborted; the last one stays.
   */
  compact(): void {
    const newest = new Map<string, number>()
    const blocks = this.#batches.map(({ bytes, baseOffset, lastOffset }) =>
      this.#blockOf(bytes, baseOffset, lastOffset + 1),
    )
    for (const block of blocks)
      for (let i = 0; i < block.count; i++) newest.set(block.key(i)!.toString('latin1'), block.offset(i))
    const kept = this.#batches.filter(({ lastOffset }, at) => {
      const block = blocks[at]!
      if (at === blocks.length - 1 || lastOffset >= this.lastStableOffset) return true
      return Array.from({ length: block.count }, (_, i) => i).some(
        i => block.value(i) !== null && newest.get(block.key(i)!.toString('latin1')) === block.offset(i),
      )
    })
    this.#batches.splice(0, this.#batches.length, ...kept)
  }

  #blockOf(records: Buffer, startOffset: number, to: number): RecordBlock {
    const { topic, partition, lastStableOffset: endOffset } = this
    const abortedTransactions = this.#transactions.abortedIn(startOffset, to)
    return readRecordBlock({ topic, partition, records, startOffset, endOffset, abortedTransactions })
  }

  /** The batch that holds this offset, by halves. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** True for what says nothing of the batch, only of who sends it, and when. */
export function isSenderError(
  error: Extract<AppendResult, { stored: false }>['error'],
): error is 'OUT_OF_ORDER_SEQUENCE_NUMBER' | 'INVALID_PRODUCER_EPOCH' {
  return error === 'OUT_OF_ORDER_SEQUENCE_NUMBER' || error === 'INVALID_PRODUCER_EPOCH'
}

function refused(error: Extract<AppendResult, { stored: false }>['error']): AppendResult {
  return { stored: false, error }
}
