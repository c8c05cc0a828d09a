/**
 * Avro keys and values in the wire format of schema registries. The registry is asked when a codec opens and when a block
 * brings a schema id that was not seen before; decoding itself is synchronous, with one comparison per record to find the
 * reader of the id before.
 */
import { RunInferenceError } from '../errors.ts'
import { type AvroOptions, avroReader, avroWriter, compileAvro, nameOf } from './avro-types.ts'
import type { Type } from './avsc.ts'
import type { Codec, CodecContext, RegisteredSchema } from './codec.ts'
import { schemaPath } from './schema-files.ts'
import { needRegistry, registeredId, schemaPrefixed } from './wire-format.ts'
import { type ReaderOf, writerSchemaDecoder } from './writer-schemas.ts'

export type { AvroOptions }

/**
 * The codec of `schemas/<schemaName>.avsc`. Values written with other versions of the schema are resolved onto this one:
 * fields that are gone are skipped, new ones take their defaults, aliases and wider number types are understood; a version
 * that does not fit is a dead letter DECODE_SCHEMA. The subject is `<topic>-key` or `<topic>-value`; writing needs exactly
 * this schema registered there.
 */
export function avro<T>(schemaName: string, options: AvroOptions = {}): Codec<T> {
  const label = `avro(${schemaName})`
  const name = { name: schemaName, type: 'AVRO' } as const
  return {
    label,
    schemas: [name],
    openDecoder: async context => {
      const registry = needRegistry(label, context)
      const type = compile(schemaName, await context.readSchema(schemaName, 'AVRO'), options)
      return writerSchemaDecoder(readerOf<T>(type, context), registry, context)
    },
    openEncoder: async context => {
      const registry = needRegistry(label, context)
      const schema = await context.readSchema(schemaName, 'AVRO')
      const type = compile(schemaName, schema, options)
      return schemaPrefixed<T>(await registeredId(name, schema, registry, context), avroWriter(type))
    },
  }
}

function readerOf<T>(type: Type, { topic, field }: CodecContext): ReaderOf<T> {
  return (id, registered) => {
    const where = `The ${field} on topic ${topic} was written with schema id ${id}`
    const writer = compileWriter(registered, where)
    try {
      return avroReader(type, writer) as ReturnType<ReaderOf<T>>
    } catch (error) {
      throw RunInferenceError.from(
        error,
        'DECODE_SCHEMA',
        `${where}, ${nameOf(writer)}, which cannot be read as ${nameOf(type)}`,
      )
    }
  }
}

function compileWriter({ type, schema, references }: RegisteredSchema, where: string): Type {
  if (type !== 'AVRO') throw new RunInferenceError('DECODE_SCHEMA', `${where}: expected an Avro schema, got ${type}`)
  try {
    // Raw: what the writer's schema calls its units is compared, and its values are only passed on.
    return compileAvro(schema, { logicalTypes: 'raw' }, references)
  } catch (error) {
    throw RunInferenceError.from(error, 'DECODE_SCHEMA', `${where}, which is not a schema that can be used`)
  }
}

function compile(schemaName: string, schema: string, options: AvroOptions): Type {
  try {
    return compileAvro(schema, options)
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `${schemaPath(schemaName, 'AVRO')} is not an Avro schema`)
  }
}
