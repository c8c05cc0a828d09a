/** The wire format of schema registries: a zero byte, four bytes of schema id, then the value. */
import { RunInferenceError } from '../errors.ts'
import type { CodecContext, RowEncoder, SchemaName, SchemaRegistryPort } from './codec.ts'
import { schemaPath } from './schema-files.ts'
import { subjectOf } from './topic-names.ts'

/** Magic byte and schema id. */
export const SCHEMA_PREFIX_BYTES = 5

/** The schema id in front of a value; throws DECODE_MAGIC_BYTE when there is none. */
export function readSchemaId(bytes: Buffer, start: number, end: number, context: CodecContext): number {
  if (end - start < SCHEMA_PREFIX_BYTES || bytes[start] !== 0) throw notFramed(bytes, start, end, context)
  return bytes.readInt32BE(start + 1)
}

/** Puts the prefix in front of what `write` writes; both answer as `RowEncoder.encode` does. */
export function schemaPrefixed<T>(id: number, write: RowEncoder<T>['encode']): RowEncoder<T> {
  return {
    encode: (value, into, at) => {
      const body = at + SCHEMA_PREFIX_BYTES
      const end = write(value, into, body)
      if (end < 0) return end - SCHEMA_PREFIX_BYTES
      // Only now: an empty record fits behind the end of a buffer in which its prefix has no room.
      if (body > into.length) return -(end - at)
      into[at] = 0
      into.writeInt32BE(id, at + 1)
      return end
    },
  }
}

/** The registry, or SETTINGS_INVALID for a codec that needs one. */
export function needRegistry(label: string, context: CodecContext): SchemaRegistryPort {
  if (context.registry !== undefined) return context.registry
  throw new RunInferenceError(
    'SETTINGS_INVALID',
    `Topic ${context.topic} uses ${label} for its ${context.field}s, which needs a schema registry, and none is ` +
      'configured. Give its URL: --registry-url http://host:8081',
  )
}

/** The id under which exactly this schema is registered for the topic; REGISTRY_REFUSED when it is not. */
export async function registeredId(
  { name, type }: SchemaName,
  schema: string,
  registry: SchemaRegistryPort,
  { topic, field }: CodecContext,
): Promise<number> {
  const subject = subjectOf(topic, field)
  const id = await registry.lookup(subject, schema, type)
  if (id !== undefined) return id
  throw new RunInferenceError(
    'REGISTRY_REFUSED',
    `Subject ${subject} has no version that is ${schemaPath(name, type)}, which the ${field}s of topic ${topic} are ` +
      'written with. Register it: kri topics apply --schemas',
  )
}

function notFramed(bytes: Buffer, start: number, end: number, { topic, field }: CodecContext): RunInferenceError {
  const got =
    end - start < SCHEMA_PREFIX_BYTES
      ? `${end - start} bytes`
      : `a first byte of 0x${bytes[start]!.toString(16).padStart(2, '0')}`
  return new RunInferenceError(
    'DECODE_MAGIC_BYTE',
    `The ${field} on topic ${topic}: expected a zero byte, a four-byte schema id and a value, got ${got}`,
  )
}
