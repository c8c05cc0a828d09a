/**
 * The parts of avsc that Avro types are made from, and the only importer of it. They are methods that avsc does not
 * document (`_read`, `_skip`, `_write`, `_check`, `_update`): its version is pinned, and `test/kafka/avro-types.test.ts`
 * fails when they no longer do what is expected.
 */
import { createRequire } from 'node:module'
import avsc, { type Type } from 'avsc'
import { bytesLeft } from './avro-bounds.ts'

export type { Type }

/** The longest varint of 64 bits. */
export const LONG_BYTES = 10

/** avsc's cursor. It does not check bounds: reading past the end gives zeros, and the position tells afterwards. */
export interface Tap {
  readonly buf: Buffer
  pos: number
  readInt(): number
  readLong(): number
  writeLong(value: number): void
  skipLong(): void
  readString(): string | undefined
  skipString(): void
  writeString(value: string): void
}

const { Tap: TapClass }: { Tap: { prototype: Tap } } = createRequire(import.meta.url)('avsc/lib/utils.js')

/**
 * avsc folds the sign of a long into a double that is twice as large, which has no room for it from 2^52 up: -(2^52 + 1) was
 * read and written as a positive number. Here the half is counted, and the sign kept apart.
 */
TapClass.prototype.readLong = function readLong(this: Tap): number {
  const { buf } = this
  let byte = buf[this.pos++]!
  const isNegative = (byte & 1) === 1
  let half = (byte & 0x7f) >>> 1
  for (let factor = 64, size = 1; byte & 0x80; factor *= 128, size++) {
    if (size === LONG_BYTES) throw overlong(this, `a long of more than ${LONG_BYTES} bytes`)
    byte = buf[this.pos++]!
    half += (byte & 0x7f) * factor
  }
  return isNegative ? -half - 1 : half
}

TapClass.prototype.writeLong = function writeLong(this: Tap, value: number): void {
  const { buf } = this
  const isNegative = value < 0
  let rest = isNegative ? -(value + 1) : value
  // Past the end of the buffer nothing is stored, but the position goes on: it tells how much is missing.
  let byte = ((rest % 64) << 1) | Number(isNegative)
  for (rest = Math.floor(rest / 64); rest > 0; rest = Math.floor(rest / 128)) {
    buf[this.pos++] = byte | 0x80
    byte = rest % 128
  }
  buf[this.pos++] = byte
}

/** avsc takes longer ones for what they are. */
TapClass.prototype.readInt = function readInt(this: Tap): number {
  const value = this.readLong()
  if (value !== (value | 0)) throw overlong(this, 'an int of more than 32 bits')
  return value
}

/** What lies behind the value may be anything. */
function overlong(tap: Tap, what: string): Error {
  return new Error(bytesLeft(tap) < 0 ? 'the value ends early, in a number' : what)
}

/** What is told of a value that does not fit: where it is, what it is, and the type that it does not fit. */
export type ErrorHook = (value: unknown, expected: unknown) => void

/** A type as its own methods see it. */
export interface RawType {
  readonly typeName: string
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
  _write(tap: Tap, value: unknown): void
  _check(value: unknown, flags?: unknown, hook?: ErrorHook, path?: string[]): boolean
  createResolver(writer: RawType, options?: unknown): { _read(tap: Tap): unknown }
}

/** The schema of a type as its constructor gets it. */
export type SchemaPart = Readonly<Record<string, unknown>>

type RawClass = new (schema: SchemaPart, options: unknown) => RawType

export const { ArrayType, MapType, StringType, LogicalType } = avsc.types as unknown as {
  readonly ArrayType: RawClass
  readonly MapType: RawClass
  readonly StringType: new () => RawType
  readonly LogicalType: new (schema: SchemaPart, options: unknown) => RawType & { readonly underlyingType: RawType }
}

/** A type for longs whose values are given and taken as the varints that they are. */
export function longType(methods: {
  readonly fromBuffer: (varint: Buffer) => unknown
  readonly toBuffer: (value: never) => Buffer
  readonly fromJSON: (value: never) => unknown
  readonly toJSON: (value: never) => unknown
  readonly isValid: (value: unknown) => boolean
  readonly compare: (a: never, b: never) => number
}): RawType {
  return avsc.types.LongType.__with(methods as never, true) as unknown as RawType
}

/** Gives the type of a part of a schema, or undefined for avsc's own. */
export type TypeHook = (part: unknown, options: unknown) => RawType | undefined

/** Compiles schemas, of which later ones may use the names of earlier ones; gives the type of the last. */
export function typeForSchemas(schemas: readonly unknown[], typeHook: TypeHook): Type {
  const shared = { typeHook, omitRecordMethods: true, registry: {} }
  return schemas.map(schema => avsc.Type.forSchema(schema as never, shared as never)).at(-1)!
}
