import { type JsonFields, optional } from '../json-fields.ts'
import type { OffsetRange, Selection } from './selection.ts'

/** Reads a selection as `JSON.stringify` writes it. A condition that is not known is wrong: without it more would be selected. */
export function readSelection(fields: JsonFields, at: string, value: unknown): Selection {
  return fields.object(at, value, (name, of) => {
    const known = new Set<string>()
    const field = <N extends string, T>(own: N, read: (at: string, given: unknown) => T) => {
      known.add(own)
      return optional(own, of[own], given => read(name(own), given))
    }
    const texts = (at: string, given: unknown) => fields.list(at, given, (each, text) => fields.text(each, text))
    const whole = (at: string, given: unknown) => fields.whole(at, given, 0)
    const selection = {
      ...{ ...field('stages', texts), ...field('steps', texts), ...field('codes', texts), ...field('models', texts) },
      ...field('indexes', (at, given) => fields.list(at, given, whole)),
      ...{ ...field('fingerprints', texts), ...field('text', (at, given) => fields.text(at, given)) },
      ...{ ...field('keys', texts), ...field('keysHex', texts) },
      ...field('headers', (at, given) => fields.list(at, given, (each, header) => namedHeader(fields, each, header))),
      ...field('offsets', (at, given) => fields.list(at, given, (each, range) => offsetRange(fields, each, range))),
      ...{ ...field('failedFrom', whole), ...field('failedUntil', whole) },
      ...{ ...field('minReplays', whole), ...field('maxReplays', whole) },
    }
    for (const own of Object.keys(of))
      if (!known.has(own)) fields.wrong(name(own), 'a condition that is known', of[own])
    return selection
  })
}

function namedHeader(fields: JsonFields, at: string, value: unknown) {
  return fields.object(at, value, (name, of) => ({
    name: fields.text(name('name'), of.name),
    ...optional('value', of.value, given => fields.text(name('value'), given)),
  }))
}

function offsetRange(fields: JsonFields, at: string, value: unknown): OffsetRange {
  return fields.object(at, value, (name, of) => ({
    of: fields.oneOf(name('of'), of.of, ['original', 'letter']),
    ...optional('topic', of.topic, given => fields.text(name('topic'), given)),
    partition: fields.whole(name('partition'), of.partition, 0),
    ...optional('from', of.from, given => fields.whole(name('from'), given, 0)),
    ...optional('until', of.until, given => fields.whole(name('until'), given, 0)),
  }))
}
