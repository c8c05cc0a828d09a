/**
 * Avro arrays and maps. avsc trusts the counts that it reads: an array of 2^40 items in a value of twenty bytes keeps it
 * busy for hours, which would let one bad record stop the whole process (I7).
 *
 * 1. A count larger than the bytes that are left is refused before anything is allocated for it.
 * 2. A block size never moves the reading position backwards.
 * 3. Typed arrays are written as they stand, so that a model's output needs no copy into a plain array.
 * 4. Items that take no bytes (null) are bounded over the whole value: blocks of them, however many, do not add up.
 */
import { bytesLeft, takeItems, ZERO_SIZED_ITEMS } from './avro-bounds.ts'
import { readText } from './avro-scalars.ts'
import { ArrayType, type ErrorHook, MapType, type RawType, type Tap } from './avsc.ts'

/** What `_read` finds as `this`: the type itself, or a resolver from a writer's type. */
interface Items {
  readonly itemsType: RawType
}
interface Values {
  readonly valuesType: RawType
}

/** Refuses a block that cannot be there. */
function checkCount(count: number, tap: Tap): void {
  const left = Math.max(bytesLeft(tap), 0)
  if (!(count <= Math.max(left, ZERO_SIZED_ITEMS)))
    throw new Error(`a block of ${count} items in the ${left} bytes that are left`)
  if (!takeItems(count)) throw new Error('more items than the value has bytes for')
}

/** The size of the next block of items; 0 at the end. */
function readCount(tap: Tap): number {
  let count = tap.readLong()
  if (count < 0) {
    count = -count
    tap.skipLong()
  }
  if (count === 0) return 0
  checkCount(count, tap)
  return count
}

/** Skips the blocks of an array or map that the reader's schema does not have. */
function skipBlocks(tap: Tap, skipOne: (tap: Tap) => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      const size = tap.readLong()
      if (!(size >= 0 && size <= bytesLeft(tap))) throw new Error(`a block of ${size} bytes`)
      tap.pos += size
    } else {
      checkCount(count, tap)
      while (count-- > 0) skipOne(tap)
    }
  }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))

/** An array of anything. */
export class BoundedArray extends ArrayType {
  override _read(this: Items, tap: Tap): unknown[] {
    const items = this.itemsType
    const values: unknown[] = []
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      while (count-- > 0) values.push(items._read(tap))
    }
    return values
  }

  override _skip(this: Items, tap: Tap): void {
    const items = this.itemsType
    skipBlocks(tap, inner => items._skip(inner))
  }

  override _write(this: Items, tap: Tap, value: unknown): void {
    if (!isList(value)) throw new Error('not an array')
    const items = this.itemsType
    const count = value.length
    if (count > 0) {
      tap.writeLong(count)
      for (let i = 0; i < count; i++) items._write(tap, value[i])
    }
    tap.writeLong(0)
  }

  /** Only on the way to an error message, so the copy does not matter. */
  override _check(value: unknown, flags?: unknown, hook?: ErrorHook, path?: string[]): boolean {
    return super._check(isList(value) ? Array.from(value) : value, flags, hook, path)
  }
}

/** Four bytes have given 28 bits of an int; more than four in the fifth are none of it. */
const MAX_FIFTH_BYTE = 0x0f

/** Arrays of int, the usual form of pixels and tokens: read without a call per item. */
export class IntArray extends BoundedArray {
  override _read(this: Items, tap: Tap): number[] {
    const bytes = tap.buf
    let values: number[] | undefined
    let filled = 0
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      if (values === undefined) values = new Array<number>(count)
      let at = tap.pos
      while (count-- > 0) {
        let byte = bytes[at++]!
        let folded = byte & 0x7f
        for (let shift = 7; byte & 0x80; shift += 7) {
          if (shift > 28) throw new Error('an int longer than five bytes')
          byte = bytes[at++]!
          if (shift === 28 && byte > MAX_FIFTH_BYTE && byte < 0x80) throw new Error('an int of more than 32 bits')
          folded |= (byte & 0x7f) << shift
        }
        values[filled++] = (folded >>> 1) ^ -(folded & 1)
      }
      tap.pos = at
    }
    return values ?? []
  }

  override _write(this: Items, tap: Tap, value: unknown): void {
    if (!isList(value)) throw new Error('not an array')
    const bytes = tap.buf
    const count = value.length
    if (count > 0) {
      tap.writeLong(count)
      let at = tap.pos
      for (let i = 0; i < count; i++) {
        const item = value[i] as number
        if (item !== (item | 0)) throw new Error('not an int')
        let folded = (item << 1) ^ (item >> 31)
        // Past the end of the buffer nothing is stored, but the position goes on: it tells how much is missing.
        while (folded & ~0x7f) {
          bytes[at++] = (folded & 0x7f) | 0x80
          folded >>>= 7
        }
        bytes[at++] = folded
      }
      tap.pos = at
    }
    tap.writeLong(0)
  }
}

/** A map of anything. */
export class BoundedMap extends MapType {
  override _read(this: Values, tap: Tap): Record<string, unknown> {
    // Without a prototype a key named __proto__ is only a key.
    const entries: Record<string, unknown> = Object.create(null)
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      while (count-- > 0) {
        const name = readText(tap)
        entries[name] = this.valuesType._read(tap)
      }
    }
    return entries
  }

  override _skip(this: Values, tap: Tap): void {
    const values = this.valuesType
    skipBlocks(tap, inner => {
      inner.skipString()
      values._skip(inner)
    })
  }
}
