import type { AbortedTransaction } from '../kafka/aborted-transactions.ts'

/** Which transactions of one partition are open, and which were aborted: what a read_committed fetch has to know. */
export class LogTransactions {
  /** The first offset of each open transaction, by producer id. */
  readonly #open = new Map<number, number>()
  /** In the order in which they ended, as brokers list them. */
  readonly #aborted: (AbortedTransaction & { readonly lastOffset: number })[] = []

  /** A batch of this producer stands at this offset: its transaction is open from here, if it was not before. */
  note(producerId: number, offset: number): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, offset)
  }

  /** The marker at this offset ends the producer's transaction. */
  end(producerId: number, markerOffset: number, isAborted: boolean): void {
    const firstOffset = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (isAborted && firstOffset !== undefined)
      this.#aborted.push({ producerId, firstOffset, lastOffset: markerOffset })
  }

  /** The last stable offset: everything before it is decided. */
  stableBelow(logEnd: number): number {
    return Math.min(logEnd, ...this.#open.values())
  }

  /** Aborted transactions that touch the offsets [from, to). */
  abortedIn(from: number, to: number): readonly AbortedTransaction[] {
    return this.#aborted.filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
  }
}
