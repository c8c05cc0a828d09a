/** Above this, Buffer.copy is faster; below, its fixed cost of 80 ns outweighs the loops here (bench/wire.bench.ts). */
const LOOP_MAX_BYTES = 256
/** Below this, single bytes are copied; from here on the last step may reach back over bytes that are written already. */
const VIEW_MIN_BYTES = 8

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
    if (length > LOOP_MAX_BYTES) {
      source.copy(into, at, from, to)
      return at + length
    }
    let read = from
    let write = at
    if (length >= VIEW_MIN_BYTES) {
      if (source !== this.#source) this.#remember(source)
      const view = this.#view
      // The compiler keeps these 64-bit values in registers: no BigInt is made.
      for (const last = to - 32; read <= last; read += 32, write += 32) {
        const first = view.getBigInt64(read, true)
        const second = view.getBigInt64(read + 8, true)
        const third = view.getBigInt64(read + 16, true)
        const fourth = view.getBigInt64(read + 24, true)
        intoView.setBigInt64(write, first, true)
        intoView.setBigInt64(write + 8, second, true)
        intoView.setBigInt64(write + 16, third, true)
        intoView.setBigInt64(write + 24, fourth, true)
      }
      for (const last = to - 8; read <= last; read += 8, write += 8) {
        intoView.setBigInt64(write, view.getBigInt64(read, true), true)
      }
      // What is left, fewer than eight bytes, is written with some of the bytes before it.
      if (read < to) intoView.setBigInt64(at + length - 8, view.getBigInt64(to - 8, true), true)
      return at + length
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
