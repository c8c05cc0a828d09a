/** The schemas that the codecs of a topology's topics name, and their registration by `kri topics apply --schemas`. */
import type { ReadSchema, RecordField, SchemaName, SchemaRegistryPort, SchemaType } from './codec.ts'
import { subjectOf } from './topic-names.ts'

interface CodecSchemas {
  readonly schemas?: readonly SchemaName[]
}
interface TopicCodecs {
  readonly topic: string
  readonly key: CodecSchemas | undefined
  /** Undefined in a topology with problems. */
  readonly value: CodecSchemas | undefined
}

/** What this module reads of a topology. */
export interface TopologyCodecs {
  readonly sources: readonly TopicCodecs[]
  readonly sinks: readonly TopicCodecs[]
}

export interface SchemaNeed {
  readonly subject: string
  /** `digit`, AVRO = schemas/digit.avsc */
  readonly schema: string
  readonly type: SchemaType
}

/** Which schema each subject needs, every pair once. */
export function schemaNeeds(topology: TopologyCodecs): readonly SchemaNeed[] {
  const needs = new Map<string, SchemaNeed>()
  for (const { topic, key, value } of [...topology.sources, ...topology.sinks]) {
    const fields: [RecordField, CodecSchemas | undefined][] = [
      ['key', key],
      ['value', value],
    ]
    for (const [field, codec] of fields) {
      const subject = subjectOf(topic, field)
      for (const { name, type } of codec?.schemas ?? []) {
        needs.set(`${subject} ${type} ${name}`, { subject, schema: name, type })
      }
    }
  }
  return [...needs.values()]
}

/** Registers every schema that is not registered yet; returns them with their ids. */
export async function registerSchemas(
  needs: readonly SchemaNeed[],
  registry: SchemaRegistryPort,
  readSchema: ReadSchema,
): Promise<readonly (SchemaNeed & { readonly id: number; readonly isNew: boolean })[]> {
  const registered = []
  for (const need of needs) {
    const schema = await readSchema(need.schema, need.type)
    const known = await registry.lookup(need.subject, schema, need.type)
    const id = known ?? (await registry.register(need.subject, schema, need.type))
    registered.push({ ...need, id, isNew: known === undefined })
  }
  return registered
}
