/**
 * JSON keys and values: plain, checked against a JSON Schema of the project, or in the wire format of schema registries.
 * What is written is what `json-writer.ts` allows; what is read is checked before any function sees it.
 */
import { RunInferenceError } from '../errors.ts'
import type { Codec, CodecContext, RegisteredSchema, RowEncoder } from './codec.ts'
import { compileJsonSchema, type JsonCheck } from './json-schema.ts'
import { type JsonLongs, parseJson } from './json-text.ts'
import { writeJson } from './json-writer.ts'
import { schemaPath } from './schema-files.ts'
import { readUtf8, writeUtf8 } from './utf8-text.ts'
import { needRegistry, registeredId, schemaPrefixed } from './wire-format.ts'
import { type ReaderOf, type ReadValue, writerSchemaDecoder } from './writer-schemas.ts'

export interface JsonSchemaOptions {
  /**
   * What becomes of integers beyond 2^53. `number` (default): one that a number cannot hold is refused, both ways.
   * `bigint`: they are BigInts.
   */
  readonly longs?: JsonLongs
}

export interface JsonOptions extends JsonSchemaOptions {
  /** `<schema>` = schemas/<schema>.schema.json, which values are checked against, both ways. Default: not checked. */
  readonly schema?: string
}

/** JSON text in UTF-8. `T` is what the topology says of the values: only a schema makes sure of it. */
export function json<T>(options: JsonOptions = {}): Codec<T> {
  const { schema, longs } = options
  const checkOf = async (context: CodecContext) =>
    schema === undefined ? undefined : compile(schema, await context.readSchema(schema, 'JSON'))
  return {
    label: schema === undefined ? 'json' : `json(${schema})`,
    openDecoder: async context => {
      const check = await checkOf(context)
      return { decode: reader<T>(whereOf(context), longs, check && [[schemaPath(schema!, 'JSON'), check]]) }
    },
    openEncoder: async context => ({ encode: writer<T>(context, longs, await checkOf(context)) }),
  }
}

/**
 * JSON with the id of its JSON Schema, as the serialisers of schema registries write it. A value must fit the schema that
 * it was written with, and `schemas/<schemaName>.schema.json`, which need not be the same version: else it is a dead letter
 * DECODE_SCHEMA. The subject is `<topic>-key` or `<topic>-value`; writing needs exactly this schema registered there.
 */
export function jsonSchema<T>(schemaName: string, { longs }: JsonSchemaOptions = {}): Codec<T> {
  const label = `jsonSchema(${schemaName})`
  const name = { name: schemaName, type: 'JSON' } as const
  const path = schemaPath(schemaName, 'JSON')
  return {
    label,
    schemas: [name],
    openDecoder: async context => {
      const registry = needRegistry(label, context)
      const own = await context.readSchema(schemaName, 'JSON')
      const check = compile(schemaName, own)
      const readerOf: ReaderOf<T> = (id, registered) => {
        const where = whereOf(context)
        const writers = compileWriter(registered, `${where} was written with schema id ${id}`)
        const checks: [string, JsonCheck][] = [[`schema id ${id}, which it was written with`, writers]]
        if (!isSame(registered.schema, own)) checks.push([path, check])
        return reader<T>(where, longs, checks)
      }
      return writerSchemaDecoder(readerOf, registry, context)
    },
    openEncoder: async context => {
      const registry = needRegistry(label, context)
      const own = await context.readSchema(schemaName, 'JSON')
      const encode = writer<T>(context, longs, compile(schemaName, own))
      return schemaPrefixed(await registeredId(name, own, registry, context), encode)
    },
  }
}

const whereOf = ({ topic, field }: CodecContext) => `The ${field} on topic ${topic}`

function reader<T>(
  where: string,
  longs: JsonLongs | undefined,
  checks: readonly [string, JsonCheck][] = [],
): ReadValue<T> {
  return (bytes, start, end) => {
    const text = readUtf8(bytes, start, end)
    if (text === undefined) throw new RunInferenceError('DECODE_MALFORMED', `${where} is not UTF-8 text`)
    let value: unknown
    try {
      value = parseJson(text, longs)
    } catch (error) {
      throw RunInferenceError.from(
        error,
        'DECODE_MALFORMED',
        `${where}, ${end - start} bytes, is not JSON that can be read`,
      )
    }
    for (const [name, check] of checks) {
      // To a validator a BigInt is no integer: it sees the value as numbers.
      const problem = check(longs === 'bigint' ? JSON.parse(text) : value)
      if (problem !== undefined)
        throw new RunInferenceError('DECODE_SCHEMA', `${where} does not fit ${name}: ${problem}`)
    }
    return value as T
  }
}

function writer<T>(
  { topic, field }: CodecContext,
  longs: JsonLongs | undefined,
  check?: JsonCheck,
): RowEncoder<T>['encode'] {
  const where = `The ${field} for topic ${topic}`
  return (value, into, at) => {
    let text: string
    try {
      text = writeJson(value, longs)
    } catch (error) {
      throw RunInferenceError.from(error, 'ENCODE_SCHEMA', where)
    }
    // What is checked is what will be read: typed arrays are arrays by now, and dates are text.
    const problem = check?.(JSON.parse(text))
    if (problem !== undefined)
      throw new RunInferenceError('ENCODE_SCHEMA', `${where} does not fit its schema: ${problem}`)
    return writeUtf8(text, into, at)
  }
}

function compile(schemaName: string, schema: string): JsonCheck {
  try {
    return compileJsonSchema(schema)
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `${schemaPath(schemaName, 'JSON')} is not a JSON Schema`)
  }
}

function compileWriter({ type, schema, references }: RegisteredSchema, where: string): JsonCheck {
  if (type !== 'JSON') throw new RunInferenceError('DECODE_SCHEMA', `${where}: expected a JSON Schema, got ${type}`)
  try {
    return compileJsonSchema(schema, references)
  } catch (error) {
    throw RunInferenceError.from(error, 'DECODE_SCHEMA', `${where}, which is not a schema that can be used`)
  }
}

/** The same schema, however it is spaced. */
function isSame(a: string, b: string): boolean {
  return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b))
}
