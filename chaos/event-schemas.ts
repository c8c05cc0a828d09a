/**
 * The versions of the schema of the input. Readers know the first one; a later one has a field more, which they skip, and an
 * id that no instance has seen: whoever reads it first has to ask the registry.
 */
import { readFileSync } from 'node:fs'
import { writeVarint } from '../src/kafka/varint.ts'
import { type ChaosEvent, digitsOf, MARKS } from './events.ts'

const FIRST = JSON.parse(readFileSync(new URL('./schemas/chaos-event.avsc', import.meta.url), 'utf8'))

/** A version that the registry knows. */
export interface EventSchema {
  readonly id: number
  readonly version: number
}

/** Registers a version, from 0 on, for the values of the topic. */
export async function registerEventSchema(registryUrl: string, topic: string, version: number): Promise<EventSchema> {
  const added = { name: `since_${version}`, type: 'int', default: 0 }
  const schema = version === 0 ? FIRST : { ...FIRST, fields: [...FIRST.fields, added] }
  const answer = await fetch(`${registryUrl}/subjects/${topic}-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
    signal: AbortSignal.timeout(10_000),
  })
  const { id } = (await answer.json()) as { id?: number }
  if (id === undefined) throw new Error(`the registry refuses version ${version} of the schema of ${topic}`)
  return { id, version }
}

/** A record as the producers of this schema write it: prefix, then Avro by hand, so that nothing of a codec is shared. */
export function encodeEvent(event: ChaosEvent, { id, version }: EventSchema): Buffer {
  const digits = digitsOf(event)
  const bytes = Buffer.alloc(64)
  let at = bytes.writeInt32BE(id, 1)
  for (const number of [event.key, event.number, MARKS.indexOf(event.mark)]) at = writeVarint(bytes, at, number)
  at = writeVarint(bytes, at, digits.length)
  for (const digit of digits) at = writeVarint(bytes, at, digit)
  at = writeVarint(bytes, at, 0)
  if (version > 0) at = writeVarint(bytes, at, version)
  return bytes.subarray(0, at)
}
