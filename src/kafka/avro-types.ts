/** Avro types as this project reads and writes them. */
import { RunInferenceError } from '../errors.ts'
import { readWithin } from './avro-bounds.ts'
import { BoundedArray, BoundedMap, IntArray } from './avro-collections.ts'
import { logicalType } from './avro-logical-types.ts'
import { bigLong, utf8String } from './avro-scalars.ts'
import { type RawType, type SchemaPart, type Type, typeForSchemas } from './avsc.ts'
import type { RegisteredSchema } from './codec.ts'

export interface AvroOptions {
  /**
   * What longs are in functions. `number` (default): a long beyond 2^53 is refused, both ways. `bigint`: every long is a
   * BigInt; whole numbers are taken, too, when writing.
   */
  readonly longs?: 'number' | 'bigint'
  /** `values` (default): dates, times, decimals as docs/codecs.md lists them. `raw`: as the types under them are. */
  readonly logicalTypes?: 'values' | 'raw'
}

/** Reads the value in [start, end) of the bytes; throws DECODE_MALFORMED. */
export type AvroRead = (bytes: Buffer, start: number, end: number) => unknown
/** Writes at `at`; returns the end, or −(bytes needed in all) when it does not fit. Throws ENCODE_SCHEMA. */
export type AvroWrite = (value: unknown, into: Buffer, at: number) => number

/** Compiles a schema (JSON text) with what it refers to. Throws avsc's own error when it is not one. */
export function compileAvro(
  schema: string,
  { longs = 'number', logicalTypes: mode = 'values' }: AvroOptions = {},
  references: RegisteredSchema['references'] = [],
): Type {
  const schemas = [...references.map(reference => reference.schema), schema].map(text => JSON.parse(text))
  const seen = new WeakSet<object>()
  return typeForSchemas(schemas, (part, options) => {
    if (typeof part === 'object' && part !== null && 'logicalType' in part && !seen.has(part)) {
      // avsc shows the same part again, for the type under it.
      seen.add(part)
      const logical = logicalType(part as SchemaPart, options, mode === 'raw')
      if (logical !== undefined) return logical
    }
    const named = typeof part === 'object' && part !== null && 'type' in part ? part.type : part
    if (named === 'string') return utf8String
    if (named === 'long' && longs === 'bigint') return bigLong
    return named === part ? undefined : collection(part as SchemaPart, options)
  })
}

function collection(part: SchemaPart, options: unknown): RawType | undefined {
  if (part.type === 'array') return part.items === 'int' ? new IntArray(part, options) : new BoundedArray(part, options)
  return part.type === 'map' ? new BoundedMap(part, options) : undefined
}

/** Reads what `writer` wrote as `reader` sees it. Throws avsc's own error when the two do not fit together. */
export function avroReader(reader: Type, writer: Type): AvroRead {
  // Equal types need no resolver. Logical types are not part of what avsc calls equal, unless it is asked to be strict.
  const isEqual = (reader as { equals(other: Type, options: { strict: boolean }): boolean }).equals(writer, {
    strict: true,
  })
  const resolver = isEqual ? undefined : reader.createResolver(writer, { ignoreNamespaces: true })
  return (bytes, start, end) => {
    readWithin(start, end)
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
    what === 'potential precision loss'
      ? "a long beyond 2^53: it needs avro(…, { longs: 'bigint' }), or loses digits"
      : what
  return new RunInferenceError('DECODE_MALFORMED', `Avro value of type ${nameOf(reader)}: ${text}`, { cause })
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

/** The name of a type, or what it is when it has none. */
export function nameOf(type: Type): string {
  return type.name ?? type.typeName
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
  return `the value does not fit the schema ${nameOf(type)}: ${first ?? (error as Error).message}`
}

function show(thing: unknown): string {
  if (thing === undefined) return 'nothing'
  if (thing !== null && typeof thing === 'object' && 'typeName' in thing) {
    return 'unit' in thing && 'form' in thing ? `${thing.unit} (${thing.form})` : String(thing.typeName)
  }
  const text = typeof thing === 'bigint' ? `${thing}n` : (JSON.stringify(thing) ?? typeof thing)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
