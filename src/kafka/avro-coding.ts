/** What an Avro codec does when it is opened: see avro-codec.ts. */
import { RunInferenceError } from '../errors.ts'
import { type AvroOptions, avroReader, avroWriter, compileAvro, nameOf } from './avro-types.ts'
import type { Type } from './avsc.ts'
import type { CodecContext, RegisteredSchema, RowDecoder, RowEncoder, SchemaName } from './codec.ts'
import { schemaPath } from './schema-files.ts'
import { needRegistry, registeredId, schemaPrefixed } from './wire-format.ts'
import { type ReaderOf, writerSchemaDecoder } from './writer-schemas.ts'

export async function openAvroDecoder<T>(
  label: string,
  { name }: SchemaName,
  options: AvroOptions,
  context: CodecContext,
): Promise<RowDecoder<T>> {
  const registry = needRegistry(label, context)
  const type = compile(name, await context.readSchema(name, 'AVRO'), options)
  return writerSchemaDecoder(readerOf<T>(type, context), registry, context)
}

export async function openAvroEncoder<T>(
  label: string,
  schemaName: SchemaName,
  options: AvroOptions,
  context: CodecContext,
): Promise<RowEncoder<T>> {
  const registry = needRegistry(label, context)
  const schema = await context.readSchema(schemaName.name, 'AVRO')
  const type = compile(schemaName.name, schema, options)
  return schemaPrefixed<T>(await registeredId(schemaName, schema, registry, context), avroWriter(type))
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
