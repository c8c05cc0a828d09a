/** Fields of a source as JSON that somebody may edit, and back in the bytes of their codecs. */
import { showable } from '../check/showable.ts'
import { encodeJson } from '../check/writers.ts'
import { RunInferenceError } from '../errors.ts'
import type { SourceNode } from '../graph.ts'
import type { Codec, Decoder, RecordField, RowDecoder, RowEncoder } from '../kafka/codec.ts'
import { utf8 } from '../kafka/plain-codecs.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { putCell } from '../models/cells.ts'
import { codecContext } from '../pipeline/open-graph.ts'
import type { ReaderParts } from './letter-reader.ts'

/** Bytes that no codec made: what cannot be decoded, and what somebody wants as it is. */
export interface RawBytes {
  readonly base64: string
}

export interface EditField {
  prepare(block: RecordBlock): Promise<void>
  /** As JSON shows it; `RawBytes`, with the reason, where it cannot be decoded. */
  show(bytes: Buffer | null): { readonly json: unknown; readonly undecoded?: string }
  /** `before`: the bytes that were there, whose types JSON does not tell. Throws what is wrong with it. */
  encode(json: unknown, before: Buffer | null): Buffer | null
}

export async function openEditField(source: SourceNode, field: RecordField, parts: ReaderParts): Promise<EditField> {
  const codec = (field === 'key' ? (source.key ?? utf8()) : source.value) as Decoder<unknown> | Codec<unknown>
  const context = codecContext(parts, source.topic, field)
  const decoder = await codec.openDecoder(context)
  let encoder: RowEncoder<unknown> | undefined
  if ('openEncoder' in codec) encoder = await codec.openEncoder(context)
  return {
    async prepare(block) {
      await decoder.prepare?.(block)
    },
    show: bytes => show(decoder, bytes),
    encode(json, before) {
      if (json === null) return null
      if (isRaw(json)) return Buffer.from(json.base64, 'base64')
      if (encoder === undefined)
        throw new RunInferenceError(
          'ENCODE_SCHEMA',
          `codec ${codec.label} can only be read: write bytes, {"base64": "…"}`,
        )
      return encodeJson(encoder, typed(json, before === null ? undefined : decoded(decoder, before)))
    },
  }
}

function show(decoder: RowDecoder<unknown>, bytes: Buffer | null): ReturnType<EditField['show']> {
  if (bytes === null) return { json: null }
  try {
    // A copy: raw rows are read where they are aligned.
    return { json: showable(decoder.decode(Buffer.from(bytes), 0, bytes.length)) }
  } catch (error) {
    return { json: { base64: bytes.toString('base64') }, undecoded: (error as Error).message }
  }
}

/** Undefined where it cannot be decoded. */
function decoded(decoder: RowDecoder<unknown>, bytes: Buffer): unknown {
  try {
    return decoder.decode(Buffer.from(bytes), 0, bytes.length)
  } catch {
    return undefined // Then JSON is all that is known of it.
  }
}

export function isRaw(json: unknown): json is RawBytes {
  if (typeof json !== 'object' || json === null || Object.keys(json).join() !== 'base64') return false
  const { base64 } = json as RawBytes
  return typeof base64 === 'string' && Buffer.from(base64, 'base64').toString('base64') === base64
}

/** JSON with the types that the value had before, which `showable` wrote as text or arrays. */
function typed(json: unknown, before: unknown): unknown {
  if (typeof before === 'bigint') return /^-?\d+$/.test(String(json)) ? BigInt(String(json)) : json
  if (typeof before === 'number') return ['NaN', 'Infinity', '-Infinity'].includes(json as string) ? Number(json) : json
  if (typeof before !== 'object' || before === null || json === null) return json
  if (Buffer.isBuffer(before)) return typeof json === 'string' ? Buffer.from(json, 'base64') : json
  if (ArrayBuffer.isView(before) && !(before instanceof DataView)) return Array.isArray(json) ? row(json, before) : json
  if (before instanceof Date) return typeof json === 'string' ? new Date(json) : json
  if (Array.isArray(before))
    return Array.isArray(json) ? json.map((each, i) => typed(each, before[i] ?? before[0])) : json
  if (typeof json !== 'object' || Array.isArray(json)) return json
  const isMap = before instanceof Map
  const of = (name: string): unknown => (isMap ? before.get(name) : (before as Record<string, unknown>)[name])
  const entries = Object.entries(json).map(([name, each]) => [name, typed(each, of(name))] as const)
  return isMap ? new Map(entries) : Object.fromEntries(entries)
}

type Row = Parameters<typeof putCell>[0]

function row(json: readonly unknown[], before: ArrayBufferView): unknown {
  const made = new (before.constructor as new (length: number) => Row & ArrayBufferView)(json.length)
  const floats =
    made instanceof Float32Array || made instanceof Float64Array || made.constructor.name === 'Float16Array'
  for (const [i, cell] of json.entries()) {
    const number = typed(cell, made instanceof BigInt64Array || made instanceof BigUint64Array ? 0n : 0)
    if (!putCell(made, i, number, floats))
      throw new RunInferenceError(
        'ENCODE_SCHEMA',
        `number ${i}: ${JSON.stringify(cell)} is none of ${made.constructor.name}`,
      )
  }
  return made
}
