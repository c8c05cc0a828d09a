/**
 * Copies of batches on their way to a shadow model, which is outside of all guarantees (I1): it must never slow down, stop or
 * fail the pipeline that offers them.
 *
 * Q1. An offer never waits and never throws: a batch that is not taken is dropped, and its rows are counted with the reason.
 * Q2. Nothing is copied that is not taken. So rows are known before, bytes only behind the copy: what is held is never more than
 *     `maxRows` rows, and `maxBytes` and one batch. What is held is what waits and what was taken and is not done.
 * Q3. An empty queue takes any batch, however large.
 * Q4. Batches are taken in the order in which they were offered, each once.
 * Q5. Closed, it takes nothing, drops what waits, and tells everybody who waits for a batch. What was taken may still be done.
 */
import { RunInferenceError } from '../errors.ts'

/** A copy of what a batch was made of, and of its results. */
export interface ShadowBatch {
  readonly rows: number
  /** All memory that it keeps. */
  readonly bytes: number
}

/** `full`: there was no room. `closed`: the trial, or the instance, has ended. `failed`: it could not be copied. */
export type ShadowDrop = 'full' | 'closed' | 'failed'

export interface ShadowQueueOptions {
  readonly maxRows: number
  readonly maxBytes: number
  /** Told of each batch that is dropped; `error`: where copying failed. Must not throw. */
  readonly onDropped?: (rows: number, why: ShadowDrop, error?: RunInferenceError) => void
}

export class ShadowQueue<B extends ShadowBatch = ShadowBatch> {
  readonly #options: ShadowQueueOptions
  readonly #waiting: B[] = []
  readonly #taken = new Set<B>()
  readonly #takers: ((batch: B | undefined) => void)[] = []
  readonly #dropped: Record<ShadowDrop, number> = { full: 0, closed: 0, failed: 0 }
  #rows = 0
  #bytes = 0
  #isClosed = false

  constructor(options: ShadowQueueOptions) {
    this.#options = options
  }

  /** Rows and bytes that are held now. */
  get held(): Readonly<ShadowBatch> {
    return { rows: this.#rows, bytes: this.#bytes }
  }

  /** Rows that were dropped so far, by the reason. */
  get dropped(): Readonly<Record<ShadowDrop, number>> {
    return { ...this.#dropped }
  }

  /** True when the batch was taken. `copyOf` is called only then, at once, and must give as many rows as `rows` says. */
  offer(copyOf: () => B, rows: number): boolean {
    if (this.#isClosed) return this.#drop(rows, 'closed')
    if (!this.#hasRoom(rows)) return this.#drop(rows, 'full')
    let batch: B
    try {
      batch = copyOf()
    } catch (error) {
      // The shadow does without this batch; the pipeline goes on.
      return this.#drop(rows, 'failed', RunInferenceError.from(error, 'BUG', 'a batch cannot be copied for the shadow'))
    }
    if (this.#isClosed) return this.#drop(rows, 'closed')
    this.#rows += batch.rows
    this.#bytes += batch.bytes
    this.#waiting.push(batch)
    this.#serve()
    return true
  }

  /** The next batch, as soon as there is one; undefined when the queue is closed. Its room is free again behind `done`. */
  next(): Promise<B | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined)
    const next = new Promise<B | undefined>(resolve => this.#takers.push(resolve))
    this.#serve()
    return next
  }

  /** Nothing reads this batch any more. */
  done(batch: B): void {
    if (!this.#taken.delete(batch)) return
    this.#free(batch)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const batch of this.#waiting.splice(0)) {
      this.#free(batch)
      this.#drop(batch.rows, 'closed')
    }
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }

  #hasRoom(rows: number): boolean {
    const { maxRows, maxBytes } = this.#options
    if (this.#rows === 0) return true
    return this.#rows + rows <= maxRows && this.#bytes < maxBytes
  }

  #serve(): void {
    while (this.#takers.length > 0 && this.#waiting.length > 0) {
      const batch = this.#waiting.shift()!
      this.#taken.add(batch)
      this.#takers.shift()!(batch)
    }
  }

  #free({ rows, bytes }: B): void {
    this.#rows -= rows
    this.#bytes -= bytes
  }

  #drop(rows: number, why: ShadowDrop, error?: RunInferenceError): false {
    this.#dropped[why] += rows
    this.#options.onDropped?.(rows, why, error)
    return false
  }
}
