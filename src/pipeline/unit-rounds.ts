import type { RecordBatchBuilder, RecordRanges, SealedBatch } from '../kafka/record-batch-builder.ts'

/** The batches of one unit: those that are open, and those that are closed, in rounds that are written one after the other. */
export class UnitRounds {
  readonly #touched: RecordBatchBuilder[] = []
  readonly #rounds: SealedBatch[][] = []
  #full = false

  /** True once a batch had no more room (U4). */
  get full(): boolean {
    return this.#full
  }

  append(builder: RecordBatchBuilder, record: RecordRanges): void {
    if (builder.count === 0) this.#touched.push(builder)
    if (builder.append(record)) return
    this.#full = true
    this.#seal(builder)
    builder.append(record)
  }

  /** Closes what is open. A round has at most one batch per output partition. */
  seal(): readonly (readonly SealedBatch[])[] {
    for (const builder of this.#touched) if (builder.count > 0) this.#seal(builder)
    this.#touched.length = 0
    return this.#rounds
  }

  /** Puts the batch in the first round that has none for its partition yet. */
  #seal(builder: RecordBatchBuilder): void {
    const batch = builder.seal()
    const { topic, partition } = batch
    const free = this.#rounds.find(
      round => !round.some(other => other.topic === topic && other.partition === partition),
    )
    if (free) free.push(batch)
    else this.#rounds.push([batch])
  }
}
