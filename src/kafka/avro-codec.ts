/**
 * Avro keys and values in the wire format of schema registries: a zero byte, four bytes of schema id, the Avro bytes.
 * The registry is asked when a codec opens and when a block brings a schema id that was not seen before; decoding
 * itself is synchronous, with one comparison per record to find the reader of the id before.
 */
import type { Type } from 'avsc'
import { RunInferenceError } from '../errors.ts'
import { AvroReaders } from './avro-readers.ts'
import { avroWriter, compileAvro } from './avro-types.ts'
import type { Codec, CodecContext, RowDecoder, RowEncoder, SchemaRegistryPort } from './codec.ts'
import { subjectOf } from './topic-names.ts'

/** Magic byte and schema id. */
export const AVRO_PREFIX_BYTES = 5

/**
 * The codec of `schemas/<schemaName>.avsc`. Values written with other versions of the schema are resolved onto this one.
 * The subject is `<topic>-key` or `<topic>-value`; writing needs exactly this schema registered there.
 */
export function avro<T>(schemaName: string): Codec<T> {
  return {
    label: `avro(${schemaName})`,
    schemas: [schemaName],
    openDecoder: async context => {
      const registry = needRegistry(schemaName, context)
      const type = compile(schemaName, await context.readSchema(schemaName))
      return decoder<T>(new AvroReaders(type, registry, context), context)
    },
    openEncoder: async context => {
      const registry = needRegistry(schemaName, context)
      const schema = await context.readSchema(schemaName)
      const type = compile(schemaName, schema)
      const subject = subjectOf(context.topic, context.field)
      const id = await registry.lookup(subject, schema)
      if (id === undefined) {
        throw new RunInferenceError(
          'REGISTRY_REFUSED',
          `Subject ${subject} has no version that is schemas/${schemaName}.avsc, which the ${context.field}s of topic ` +
            `${context.topic} are written with. Register it: kri topics apply --schemas`,
        )
      }
      return encoder<T>(type, id)
    },
  }
}

function decoder<T>(readers: AvroReaders, { topic, field }: CodecContext): RowDecoder<T> {
  return {
    prepare: block => readers.prepare(block, field),
    decode: (bytes, start, end) => {
      if (end - start < AVRO_PREFIX_BYTES || bytes[start] !== 0) throw notFramed(bytes, start, end, topic, field)
      return readers.of(bytes.readInt32BE(start + 1))(bytes, start + AVRO_PREFIX_BYTES, end) as T
    },
  }
}

function encoder<T>(type: Type, id: number): RowEncoder<T> {
  const write = avroWriter(type)
  return {
    encode: (value, into, at) => {
      const body = at + AVRO_PREFIX_BYTES
      const end = write(value, into, body)
      if (end < 0) return end - AVRO_PREFIX_BYTES
      // Only now: an empty record fits behind the end of a buffer in which its prefix has no room.
      if (body > into.length) return -(end - at)
      into[at] = 0
      into.writeInt32BE(id, at + 1)
      return end
    },
  }
}

function needRegistry(schemaName: string, context: CodecContext): SchemaRegistryPort {
  if (context.registry !== undefined) return context.registry
  throw new RunInferenceError(
    'SETTINGS_INVALID',
    `Topic ${context.topic} uses avro(${schemaName}) for its ${context.field}s, which needs a schema registry, and none is ` +
      'configured. Give its URL: --registry http://host:8081',
  )
}

function compile(schemaName: string, schema: string): Type {
  try {
    return compileAvro(schema)
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `schemas/${schemaName}.avsc is not an Avro schema`)
  }
}

function notFramed(bytes: Buffer, start: number, end: number, topic: string, field: string): RunInferenceError {
  const got =
    end - start < AVRO_PREFIX_BYTES
      ? `${end - start} bytes`
      : `a first byte of 0x${bytes[start]!.toString(16).padStart(2, '0')}`
  return new RunInferenceError(
    'DECODE_MAGIC_BYTE',
    `The ${field} on topic ${topic}: expected a zero byte, a four-byte schema id and an Avro value, got ${got}`,
  )
}
