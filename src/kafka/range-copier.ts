/** Between these, eight bytes at a time through DataViews beat both a byte loop and Buffer.copy (bench/wire.bench.ts). */
const VIEW_MIN_BYTES = 12
const VIEW_MAX_BYTES = 320

const EMPTY = Buffer.alloc(0)
const EMPTY_VIEW = viewOf(EMPTY)

/** A DataView over the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Copies short ranges out of a buffer that seldom changes, whose DataView it remembers. */
export class RangeCopier {
  #source: Buffer = EMPTY
  #view = EMPTY_VIEW

  /** Copies `source[from, to)` to `into[at…)`, of which `intoView` is the view, and returns the end. */
  copy(source: Buffer, from: number, to: number, into: Buffer, intoView: DataView, at: number): number {
    const length = to - from
    if (length > VIEW_MAX_BYTES) {
      source.copy(into, at, from, to)
      return at + length
    }
    let read = from
    let write = at
    if (length >= VIEW_MIN_BYTES) {
      if (source !== this.#source) this.#remember(source)
      const view = this.#view
      // The compiler keeps these 64-bit values in registers: no BigInt is made.
      for (const last = to - 8; read <= last; read += 8, write += 8) {
        intoView.setBigInt64(write, view.getBigInt64(read, true), true)
      }
    }
    while (read < to) into[write++] = source[read++]!
    return write
  }

  /** Lets go of the source. */
  forget(): void {
    this.#source = EMPTY
    this.#view = EMPTY_VIEW
  }

  #remember(source: Buffer): void {
    this.#source = source
    this.#view = viewOf(source)
  }
}
