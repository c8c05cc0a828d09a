/**
 * Which batches of a read_committed fetch belong to aborted transactions, decided as the Java consumer does:
 * 1. The broker lists (producer, first offset) of every aborted transaction that touches the response, in no useful order.
 * 2. Before a batch is judged, every transaction that begins at or before the batch's last offset is open.
 * 3. A transactional batch of a producer with an open aborted transaction is skipped.
 * 4. Only an abort marker, a record of a *control* batch, closes it. A user record with the same key bytes does not.
 */

import { BATCH } from './record-batch-format.ts'
import type { RecordBatchHeader } from './record-batch-header.ts'
import { VarintCursor } from './varint.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Type of a control record, in bytes 2 and 3 of its key. */
const ABORT_MARKER = 0

/** State over the batches of one partition of one response; ask in offset order, about every batch. */
export class AbortedTransactions {
  readonly #byFirstOffset: readonly AbortedTransaction[]
  readonly #open = new Set<number>()
  #next = 0

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#byFirstOffset = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** True when the records of this batch were aborted. A control batch never is; it may end an aborted transaction. */
  covers(batch: RecordBatchHeader, bytes: Buffer): boolean {
    if (batch.producerId < 0) return false
    this.#openUpTo(batch.lastOffset)
    if (!batch.control) return batch.transactional && this.#open.has(batch.producerId)
    if (isAbortMarker(batch, bytes)) this.#open.delete(batch.producerId)
    return false
  }

  #openUpTo(offset: number): void {
    while (this.#next < this.#byFirstOffset.length) {
      const transaction = this.#byFirstOffset[this.#next]!
      if (transaction.firstOffset > offset) return
      this.#open.add(transaction.producerId)
      this.#next++
    }
  }
}

function isAbortMarker(batch: RecordBatchHeader, bytes: Buffer): boolean {
  if (batch.count === 0) return false // Compaction removed the marker, and before it the records that it ended.
  const cursor = new VarintCursor(bytes, batch.start + BATCH.records)
  cursor.varint() // length
  cursor.at++ // attributes
  cursor.varlong() // timestamp delta
  cursor.varint() // offset delta
  const keyLength = cursor.varint()
  return keyLength >= 4 && cursor.at + 4 <= batch.end && bytes.readInt16BE(cursor.at + 2) === ABORT_MARKER
}
