/**
 * Which records a model on trial has: a share of the keys, chosen by a hash, so that it is the same one in every instance,
 * after a restart, and when a record is replayed.
 *
 * S1. A record is in when the first 8 hex digits of sha256(salt + its key), modulo 10,000, are below percent × 100. Salt and
 *     key are hashed as bytes, the salt in UTF-8. Nothing of this may change: what is published relies on it.
 * S2. Records with one key are all in or all out. A record without a key has its position for one, `topic/partition/offset`;
 *     an empty key is a key.
 * S3. Of a record of the application's own topics the position is that where it was read first: a replay chooses as the first
 *     time did. Headers of anybody else's topics do not count.
 * S4. A greater percentage adds keys and takes none away. Another salt chooses anew.
 * S5. The choice says nothing of the partition, which Kafka's clients take from another hash of the key.
 */
import { hash } from 'node:crypto'
import { originOf } from '../pipeline/origin.ts'
import type { WorkBlock } from '../pipeline/work-block.ts'
import type { Candidate } from './step-models.ts'

const SHARES = 10_000
const FIRST_DIGITS = 8
/** Room for the keys of most topics; a longer one gets room of its own. */
const KEPT_BYTES = 1_024
/** Of what multiplying has made of a percentage with two decimals. */
const ROUNDING = 1e-6

export class Split {
  readonly #below: number
  readonly #saltBytes: number
  /** The salt, and room for a key behind it. */
  readonly #salted: Buffer
  // The last record: its branches, and what was made of it, come one behind the other. Weak, as it must not keep its bytes alive.
  #lastWork: WeakRef<WorkBlock> | undefined
  #lastRow = -1
  #isLastIn = false

  /** `percent`: from 0.01 to 100; what lies between two hundredths counts as the upper one. */
  constructor({ salt, percent }: Pick<Candidate, 'salt' | 'percent'>) {
    this.#below = Math.ceil(percent * (SHARES / 100) - ROUNDING)
    this.#saltBytes = Buffer.byteLength(salt)
    this.#salted = Buffer.alloc(this.#saltBytes + KEPT_BYTES)
    this.#salted.write(salt)
  }

  /** True where the record of this row is the candidate's. One hash, but for the row that was asked for last. */
  has(work: WorkBlock, row: number): boolean {
    if (row === this.#lastRow && this.#lastWork?.deref() === work) return this.#isLastIn
    if (this.#lastWork?.deref() !== work) this.#lastWork = new WeakRef(work)
    this.#lastRow = row
    this.#isLastIn = this.#holds(work, row)
    return this.#isLastIn
  }

  /** The same for the key in `bytes[start, end)`. */
  hasKey(bytes: Buffer, start: number, end: number): boolean {
    const length = this.#saltBytes + end - start
    const salted = this.#salted.length < length ? this.#withRoom(length) : this.#salted
    bytes.copy(salted, this.#saltBytes, start, end)
    const digits = hash('sha256', salted.subarray(0, length), 'hex').slice(0, FIRST_DIGITS)
    return Number.parseInt(digits, 16) % SHARES < this.#below
  }

  #holds(work: WorkBlock, row: number): boolean {
    const { block } = work
    const start = block.keyStart(row)
    if (start >= 0) return this.hasKey(block.bytes, start, block.keyEnd(row))
    const position = Buffer.from(originOf(work, row))
    return this.hasKey(position, 0, position.length)
  }

  #withRoom(length: number): Buffer {
    const larger = Buffer.allocUnsafe(length)
    this.#salted.copy(larger, 0, 0, this.#saltBytes)
    return larger
  }
}
