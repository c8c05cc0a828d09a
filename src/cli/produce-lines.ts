import { encodeJson } from '../check/writers.ts'
import { RunInferenceError } from '../errors.ts'
import type { SourceNode } from '../graph.ts'
import type { Codec, Decoder, RecordField, RowEncoder } from '../kafka/codec.ts'
import { parseJson } from '../kafka/json-text.ts'
import { codecContext } from '../pipeline/open-graph.ts'
import type { LineRecord } from './produce-records.ts'

const SHOWN_FIELDS = 10

export interface LineEncoder {
  readonly value: RowEncoder<unknown>
  /** Undefined where the source has no key codec. */
  readonly key: RowEncoder<unknown> | undefined
  /** What the key codec is called. */
  readonly keyLabel?: string | undefined
  /** The field of the object that is the key. */
  readonly keyField: string | undefined
}

/** The codecs of a source, to write with. Throws SETTINGS_INVALID for one that can only be read. */
export async function openLineEncoder(
  source: SourceNode,
  keyField: string | undefined,
  context: Parameters<typeof codecContext>[0],
): Promise<LineEncoder> {
  const open = (decoder: Decoder<unknown>, field: RecordField) => {
    if ('openEncoder' in decoder)
      return (decoder as Codec<unknown>).openEncoder(codecContext(context, source.topic, field))
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `the ${field} codec ${decoder.label} of ${source.topic} can only be read`,
    )
  }
  const key = source.key && (await open(source.key, 'key'))
  return { value: await open(source.value, 'value'), key, keyLabel: source.key?.label, keyField }
}

/**
 * One line of NDJSON as a record. Throws what is wrong with it: no JSON, no such field, not of the schema; SETTINGS_INVALID
 * when no line can become a record, because the source needs keys and no field is named.
 */
export function encodeLine(text: string, line: number, encoder: LineEncoder): LineRecord {
  // Codecs that take longs take BigInts; the others say that they do not, where a number would have been another one.
  const value = parseJson(text, 'bigint')
  return { line, key: keyOf(value, encoder), value: encodeJson(encoder.value, value) }
}

function keyOf(value: unknown, { key, keyLabel, keyField }: LineEncoder): Buffer | null {
  if (keyField === undefined) {
    if (key === undefined) return null
    throw new RunInferenceError('SETTINGS_INVALID', keyFieldMissing(value, keyLabel))
  }
  const field = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[keyField] : undefined
  if (field === undefined || field === null) {
    throw new RunInferenceError('KEY_MISSING', `the line has no field "${keyField}"`)
  }
  // Keys are text in most topics, and identifiers are numbers in many files.
  const text = typeof field === 'object' ? JSON.stringify(field) : String(field)
  return key === undefined ? Buffer.from(text) : encodeJson(key, text)
}

function keyFieldMissing(value: unknown, keyLabel: string | undefined): string {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const names = isObject ? Object.keys(value).slice(0, SHOWN_FIELDS) : []
  const fields = names.length === 0 ? '' : `, one of: ${names.join(', ')}`
  return (
    `the source has a key codec, ${keyLabel ?? 'which needs keys'}: a record without a key would be a dead letter. ` +
    `Name the field that is the key, --key-field <name>${fields}`
  )
}
