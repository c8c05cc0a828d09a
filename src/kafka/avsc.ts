/**
 * The parts of avsc that Avro types are made from, and the only importer of it. They are methods that avsc does not
 * document (`_read`, `_skip`, `_write`, `_check`, `_update`): its version is pinned, and `test/kafka/avro-types.test.ts`
 * fails when they no longer do what is expected.
 */
import avsc, { type Type } from 'avsc'

export type { Type }

/** avsc's cursor. It does not check bounds: reading past the end gives zeros, and the position tells afterwards. */
export interface Tap {
  readonly buf: Buffer
  pos: number
  readLong(): number
  writeLong(value: number): void
  skipLong(): void
  readString(): string | undefined
  skipString(): void
  writeString(value: string): void
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

export interface SchemaOptions {
  /** Gives the type of a part of the schema, or undefined for avsc's own. */
  readonly typeHook: (part: unknown, options: unknown) => RawType | undefined
  readonly logicalTypes: Readonly<Record<string, new (schema: SchemaPart, options: unknown) => RawType>>
}

/** Compiles schemas, of which later ones may use the names of earlier ones; gives the type of the last. */
export function typeForSchemas(schemas: readonly unknown[], options: SchemaOptions): Type {
  const shared = { ...options, omitRecordMethods: true, registry: {} }
  return schemas.map(schema => avsc.Type.forSchema(schema as never, shared as never)).at(-1)!
}
