import { RunInferenceError } from '../errors.ts'
import type { RegisteredSchema, SchemaRegistryPort, SchemaType } from '../kafka/codec.ts'

/** A schema registry in memory, with an outage on demand. */
export interface MemoryRegistry extends SchemaRegistryPort {
  /** Every call rejects with REGISTRY_UNAVAILABLE until `up`. */
  down(): void
  up(): void
  /** How many calls were answered or refused, to see that nothing asks per record. */
  readonly calls: number
}

export function createMemoryRegistry(): MemoryRegistry {
  const schemas: RegisteredSchema[] = []
  const subjects = new Map<string, number[]>()
  let isDown = false
  let calls = 0

  async function answer<T>(give: () => T | Promise<T>): Promise<T> {
    calls++
    if (isDown) throw new RunInferenceError('REGISTRY_UNAVAILABLE', 'The schema registry in memory is down')
    return give()
  }

  const idOf = (canonical: string, type: SchemaType) =>
    schemas.findIndex(known => known.schema === canonical && known.type === type) + 1

  return {
    schemaById: id =>
      answer(() => {
        const schema = schemas[id - 1]
        if (schema !== undefined) return schema
        throw new RunInferenceError('DECODE_UNKNOWN_SCHEMA', `The schema registry does not know schema id ${id}`)
      }),
    latest: subject =>
      answer(() => {
        const id = subjects.get(subject)?.at(-1)
        if (id !== undefined) return { id, ...schemas[id - 1]! }
        throw new RunInferenceError('REGISTRY_REFUSED', `The schema registry has no subject ${subject} (404)`)
      }),
    register: (subject, schema, type = 'AVRO') =>
      answer(() => {
        const canonical = compact(schema)
        const id = idOf(canonical, type) || schemas.push({ type, schema: canonical, references: [] })
        const versions = subjects.get(subject) ?? []
        if (!versions.includes(id)) subjects.set(subject, [...versions, id])
        return id
      }),
    lookup: (subject, schema, type = 'AVRO') =>
      answer(() => {
        const id = idOf(compact(schema), type)
        return subjects.get(subject)?.includes(id) ? id : undefined
      }),
    incompatibilities: (subject, schema, type = 'AVRO') =>
      answer(() => {
        const latest = schemas[(subjects.get(subject)?.at(-1) ?? 0) - 1]
        return latest === undefined || type !== 'AVRO' ? [] : unreadable(latest.schema, schema)
      }),
    down: () => {
      isDown = true
    },
    up: () => {
      isDown = false
    },
    get calls() {
      return calls
    },
  }
}

/** As registries with the level BACKWARD answer: may values of the older schema be read with the newer? */
async function unreadable(older: string, newer: string): Promise<string[]> {
  // Asked by few of those that import this file.
  const { avroReader, compileAvro } = await import('../kafka/avro-types.ts')
  try {
    avroReader(compileAvro(newer), compileAvro(older))
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

/** White space does not make another schema. */
function compact(schema: string): string {
  try {
    return JSON.stringify(JSON.parse(schema))
  } catch (error) {
    throw new RunInferenceError('REGISTRY_REFUSED', `Not a schema: ${(error as Error).message} (422)`)
  }
}
