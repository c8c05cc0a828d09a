/**
 * Elements on their way into another thread and back, in one piece of bytes. Copies lose their classes; keyed elements, which
 * are told by their brand, get it back, also inside lists, plain objects and one another.
 */
import { deserialize, serialize } from 'node:v8'
import { isKV, kv } from '../records.ts'

type Path = readonly (string | number)[]

interface Carried {
  readonly values: readonly unknown[]
  /** Where keyed elements are; those inside others come first. */
  readonly keyed: readonly Path[]
}

/** Throws what the serialiser throws: for functions, symbols and what else is no data. */
export function packElements(values: readonly unknown[]): Uint8Array<ArrayBuffer> {
  const keyed: Path[] = []
  const seen = new Set<object>()
  for (const [i, value] of values.entries()) findKeyed(value, [i], seen, keyed)
  // In memory of its own, exactly as long, so that it can be moved.
  return serialize({ values, keyed } satisfies Carried) as Buffer<ArrayBuffer>
}

export function unpackElements(bytes: Uint8Array): unknown[] {
  const { values, keyed } = deserialize(bytes) as { values: unknown[]; keyed: readonly Path[] }
  for (const path of keyed) makeKeyed(values, path)
  return values
}

/** Looks into each object once, since copies keep it one object; keyed elements are made anew at each of their places. */
function findKeyed(value: unknown, path: Path, seen: Set<object>, into: Path[]): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
  if (!seen.has(value)) {
    seen.add(value)
    for (const name of Array.isArray(value) ? value.keys() : Object.keys(value)) {
      const member = (value as Record<string | number, unknown>)[name]
      if (typeof member === 'object') findKeyed(member, [...path, name], seen, into)
    }
  }
  if (isKV(value)) into.push(path)
}

function makeKeyed(values: unknown[], path: Path): void {
  let holder: unknown = values
  for (const name of path.slice(0, -1)) holder = (holder as Record<string | number, unknown>)[name]
  const last = path.at(-1)!
  const members = holder as Record<string | number, unknown>
  const { key, value } = members[last] as { readonly key: unknown; readonly value: unknown }
  members[last] = kv(key, value)
}
