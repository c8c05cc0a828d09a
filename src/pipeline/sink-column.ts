/** No output at this sink for the row. */
export const ABSENT = -2
/** A null value (a tombstone that is passed on). */
export const NULL_VALUE = -1

const FIRST_BYTES_PER_ROW = 64

/**
 * The encoded outputs of one block at one sink: a byte arena and one range per source row. Rows may be filled in any order
 * (batches of several lanes end in any order); the outbox reads them in source order.
 */
export class SinkColumn {
  arena: Buffer
  used = 0
  /** Range of each row in the arena; start is ABSENT or NULL_VALUE where there are no bytes. */
  start: Int32Array
  end: Int32Array

  constructor(rows: number) {
    this.arena = Buffer.allocUnsafeSlow(rows * FIRST_BYTES_PER_ROW)
    this.start = new Int32Array(rows).fill(ABSENT)
    this.end = new Int32Array(rows)
  }

  /** As new, for another block. */
  clear(rows: number): void {
    this.used = 0
    if (rows > this.start.length) {
      this.start = new Int32Array(rows)
      this.end = new Int32Array(rows)
    }
    this.start.fill(ABSENT, 0, rows)
  }

  /** Makes room for `bytes` behind what is used. */
  reserve(bytes: number): void {
    if (this.used + bytes <= this.arena.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.arena.length * 2, this.used + bytes))
    this.arena.copy(grown, 0, 0, this.used)
    this.arena = grown
  }

  /** Records that the bytes up to `end` are the output of this row. */
  seal(row: number, end: number): void {
    this.start[row] = this.used
    this.end[row] = end
    this.used = end
  }

  setNull(row: number): void {
    this.start[row] = NULL_VALUE
  }
}
