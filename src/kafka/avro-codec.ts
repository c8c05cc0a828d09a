/**
 * Avro keys and values in the wire format of schema registries. The registry is asked when a codec opens and when a block
 * brings a schema id that was not seen before; decoding itself is synchronous, with one comparison per record to find the
 * reader of the id before.
 */
import type { AvroOptions } from './avro-types.ts'
import type { Codec } from './codec.ts'

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
  // Imported when a codec opens: many topologies have none, and each of their processes imports this file.
  const parts = () => import('./avro-coding.ts')
  return {
    label,
    schemas: [name],
    openDecoder: async context => (await parts()).openAvroDecoder<T>(label, name, options, context),
    openEncoder: async context => (await parts()).openAvroEncoder<T>(label, name, options, context),
  }
}
