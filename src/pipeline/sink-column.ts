/** No output at this sink for the row. */
export const ABSENT = -2
/** A null value (a tombstone that is passed on). */
export const NULL_VALUE = -1

const FIRST_BYTES_PER_ROW = 64

/**
 * The encoded outputs of one block at one outlet: a byte arena and one range per element. Rows may be filled in any order
 * (batches of several lanes end in any order); the outbox reads them in source order.
 */
export class SinkColumn {
  arena: Buffer
  used = 0
  /** Range of each element in the arena; start is ABSENT or NULL_VALUE where there are no bytes. */
  start: Int32Array
  end: Int32Array
  /** Where the key of each element begins, which ends where its value begins; only at outlets that write new keys. */
  keyStart: Int32Array | undefined

  constructor(rows: number) {
    this.arena = Buffer.allocUnsafeSlow(rows * FIRST_BYTES_PER_ROW)
    this.start = new Int32Array(rows).fill(ABSENT)
    this.end = new Int32Array(rows)
  }

  /** As new, for another block. */
  clear(rows: number): void {
    this.used = 0
    this.keyStart = undefined
    if (rows > this.start.length) {
      this.start = new Int32Array(rows)
      this.end = new Int32Array(rows)
    }
    this.start.fill(ABSENT)
  }

  /** Where the output of an element begins; ABSENT or NULL_VALUE where there are no bytes. */
  startOf(element: number): number {
    return element < this.start.length ? this.start[element]! : ABSENT
  }

  /** Makes room for `bytes` behind what is used, or behind `from`, where a key stands that is not sealed yet. */
  reserve(bytes: number, from = this.used): void {
    if (from + bytes <= this.arena.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.arena.length * 2, from + bytes))
    this.arena.copy(grown, 0, 0, from)
    this.arena = grown
  }

  /** Records that the bytes up to `end` are the output of this element. */
  seal(element: number, end: number): void {
    if (element >= this.start.length) this.#grow(element)
    this.start[element] = this.used
    this.end[element] = end
    this.used = end
  }

  /** The same for an element whose own key stands before its value. */
  sealKeyed(element: number, keyEnd: number, end: number): void {
    const keyStart = this.used
    this.used = keyEnd
    this.seal(element, end)
    this.keyStart ??= new Int32Array(this.start.length)
    if (this.keyStart.length < this.start.length) {
      const known = this.keyStart
      this.keyStart = new Int32Array(this.start.length)
      this.keyStart.set(known)
    }
    this.keyStart[element] = keyStart
  }

  setNull(element: number): void {
    if (element >= this.start.length) this.#grow(element)
    this.start[element] = NULL_VALUE
  }

  /** As if this element had no output here. */
  clearOutput(element: number): void {
    this.start[element] = ABSENT
  }

  /** Elements that are no rows come on the way. */
  #grow(element: number): void {
    const { start, end } = this
    const length = Math.max(element + 1, start.length * 2)
    this.start = new Int32Array(length).fill(ABSENT)
    this.start.set(start)
    this.end = new Int32Array(length)
    this.end.set(end)
  }
}
