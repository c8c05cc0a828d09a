/**
 * Avro types as this project reads and writes them; the only importer of avsc.
 *
 * avsc trusts the counts that it reads: an array of 2^40 items in a value of twenty bytes keeps it busy for hours, which
 * would let one bad record stop the whole process (I7). So arrays and maps are subclasses here:
 *
 * 1. A count larger than the bytes that are left is refused before anything is allocated for it.
 * 2. A block size never moves the reading position backwards.
 * 3. Typed arrays are written as they stand, so that a model's output needs no copy into a plain array.
 *
 * The subclasses use methods of avsc that are not documented (`_read`, `_skip`, `_write`, `_check`); its version
 * is pinned, and `test/kafka/avro-types.test.ts` fails when they no longer do what is expected here.
 */
import avsc, { type Type } from 'avsc'
import { RunInferenceError } from '../errors.ts'

/** Reads the value in [start, end) of the bytes; throws DECODE_MALFORMED. */
export type AvroRead = (bytes: Buffer, start: number, end: number) => unknown
/** Writes at `at`; returns the end, or −(bytes needed in all) when it does not fit. Throws ENCODE_SCHEMA. */
export type AvroWrite = (value: unknown, into: Buffer, at: number) => number

/** avsc's cursor. It does not check bounds: reading past the end gives zeros, and the position tells afterwards. */
interface Tap {
  readonly buf: Buffer
  pos: number
  readLong(): number
  writeLong(value: number): void
  skipLong(): void
  skipString(): void
}

interface ItemType {
  readonly typeName?: string
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
  _write(tap: Tap, value: unknown): void
}

/** What `_read` finds as `this`: the type itself, or a resolver from a writer's type. */
interface Items {
  readonly itemsType: ItemType
}
interface Values {
  readonly valuesType: ItemType
}

/** Items that take no bytes (null) may be more than the bytes that are left, but not many more. */
const ZERO_SIZED_ITEMS = 1024

// Where the value that is being read ends. Reading is synchronous, so one variable serves all types.
let readEnd = 0

/** The size of the next block of items; 0 at the end. */
function readCount(tap: Tap): number {
  let count = tap.readLong()
  if (count < 0) {
    count = -count
    tap.skipLong()
  }
  if (count === 0) return 0
  if (!(count <= Math.max(readEnd - tap.pos, ZERO_SIZED_ITEMS))) {
    throw new Error(`a block of ${count} items in the ${Math.max(readEnd - tap.pos, 0)} bytes that are left`)
  }
  return count
}

/** Skips the blocks of an array or map that the reader's schema does not have. */
function skipBlocks(tap: Tap, skipOne: (tap: Tap) => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      const size = tap.readLong()
      if (!(size >= 0 && size <= readEnd - tap.pos)) throw new Error(`a block of ${size} bytes`)
      tap.pos += size
    } else {
      if (!(count <= Math.max(readEnd - tap.pos, ZERO_SIZED_ITEMS))) throw new Error(`a block of ${count} items`)
      while (count-- > 0) skipOne(tap)
    }
  }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))

// avsc's own declarations leave these methods out.
type Compiled = new (schema: unknown, options: unknown) => { _check(value: unknown, ...rest: unknown[]): boolean }
const BaseArray = avsc.types.ArrayType as unknown as Compiled
const BaseMap = avsc.types.MapType as unknown as Compiled

class BoundedArray extends BaseArray {
  _read(this: Items, tap: Tap): unknown[] {
    const items = this.itemsType
    const values: unknown[] = []
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      while (count-- > 0) values.push(items._read(tap))
    }
    return values
  }

  _skip(this: Items, tap: Tap): void {
    const items = this.itemsType
    skipBlocks(tap, inner => items._skip(inner))
  }

  _write(this: Items, tap: Tap, value: unknown): void {
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
  override _check(value: unknown, ...rest: unknown[]): boolean {
    return super._check(isList(value) ? Array.from(value) : value, ...rest)
  }
}

/** Arrays of int, the usual form of pixels and tokens: read without a call per item. */
class IntArray extends BoundedArray {
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

class BoundedMap extends BaseMap {
  _read(this: Values, tap: Tap & { readString(): string }): Record<string, unknown> {
    // Without a prototype a key named __proto__ is only a key.
    const entries: Record<string, unknown> = Object.create(null)
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      while (count-- > 0) {
        const name = tap.readString()
        entries[name] = this.valuesType._read(tap)
      }
    }
    return entries
  }

  _skip(this: Values, tap: Tap): void {
    const values = this.valuesType
    skipBlocks(tap, inner => {
      inner.skipString()
      values._skip(inner)
    })
  }
}

/** Compiles a schema (JSON text). Throws avsc's own error when it is not one. */
export function compileAvro(schema: string): Type {
  const named = JSON.parse(schema)
  return avsc.Type.forSchema(named, {
    omitRecordMethods: true,
    typeHook: (part: unknown, options: unknown) => {
      if (typeof part !== 'object' || part === null || !('type' in part)) return undefined
      if (part.type === 'array') {
        const int = 'items' in part && part.items === 'int'
        return new (int ? IntArray : BoundedArray)(part, options) as unknown as Type
      }
      if (part.type === 'map') return new BoundedMap(part, options) as unknown as Type
      return undefined
    },
  } as never)
}

/** Reads what `writer` wrote as `reader` sees it. Throws avsc's own error when the two do not fit together. */
export function avroReader(reader: Type, writer: Type): AvroRead {
  // Equal types need no resolver; without one, records are read straight into their constructor.
  const resolver = reader.equals(writer) ? undefined : reader.createResolver(writer)
  return (bytes, start, end) => {
    readEnd = end
    let read: { value: unknown; offset: number }
    try {
      read = reader.decode(bytes, start, resolver)
    } catch (error) {
      throw malformed(reader, (error as Error).message, error)
    }
    if (read.offset === end) return read.value
    const size = end - start
    if (read.offset < 0 || read.offset > end) throw malformed(reader, `the value ends early, after ${size} bytes`)
    throw malformed(reader, `expected the value to end after ${read.offset - start} bytes, got ${size} bytes`)
  }
}

function malformed(reader: Type, what: string, cause?: unknown): RunInferenceError {
  const text =
    what === 'potential precision loss' ? 'a long beyond 2^53 is not supported: it would lose precision' : what
  return new RunInferenceError('DECODE_MALFORMED', `Avro value of type ${reader.name ?? reader.typeName}: ${text}`, {
    cause,
  })
}

/** Writes values of a type. */
export function avroWriter(type: Type): AvroWrite {
  return (value, into, at) => {
    let end: number
    try {
      end = type.encode(value, into, at)
    } catch (error) {
      throw new RunInferenceError('ENCODE_SCHEMA', explain(type, value, error), { cause: error })
    }
    // avsc answers with minus the bytes that are missing behind the end of the buffer.
    return end < 0 ? -(into.length - end - at) : end
  }
}

/** The first field that does not fit: path, expected, got. */
function explain(type: Type, value: unknown, error: unknown): string {
  let first: string | undefined
  const errorHook = (path: string[], got: unknown, expected: Type) => {
    first ??= `field ${path.length === 0 ? '(the value itself)' : path.join('.')}: expected ${show(expected)}, got ${show(got)}`
  }
  try {
    type.isValid(value, { errorHook: errorHook as never })
  } catch {
    // A getter of the value threw: the error of the encoding itself says what there is to say.
  }
  return `the value does not fit the schema ${type.name ?? type.typeName}: ${first ?? (error as Error).message}`
}

function show(thing: unknown): string {
  if (thing === undefined) return 'nothing'
  if (thing !== null && typeof thing === 'object' && 'typeName' in thing) return String(thing.typeName)
  const text = typeof thing === 'bigint' ? `${thing}n` : (JSON.stringify(thing) ?? typeof thing)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
