/**
 * One dead letter as JSON that somebody may edit, and the record that is made of it. What was not edited stays byte for byte; what was
 * is read back with the codecs of the source before anything is written.
 */
import { isDeepStrictEqual } from 'node:util'
import { KRI_EDITED_FROM, KRI_PREFIX, KRI_VALUE_BYTES, KRI_VALUE_SHA256 } from '../kafka/headers.ts'
import { parseJson } from '../kafka/json-text.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'
import { readRecordBlock } from '../kafka/record-batch-reader.ts'
import type { Header } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'
import type { Topology } from '../topology.ts'
import { type DeadLetter, deadLetterOf } from './dead-letter.ts'
import { type EditField, isRaw, openEditField } from './edit-codecs.ts'
import type { ReaderParts } from './letter-reader.ts'
import { placeOf } from './letter-text.ts'
import { OriginalValues } from './original-values.ts'
import { checkHeader, refused } from './replay-order.ts'
import type { LetterPlace } from './whole-letter.ts'
import { scanWhole } from './whole-scan.ts'

const MAX_BATCH_BYTES = 64 * 1024 * 1024

/** As it is edited. Header values are text, `{"base64": "…"}` where they are none, or null. */
export interface EditableRecord {
  readonly key: unknown
  readonly value: unknown
  readonly headers: readonly (readonly [name: string, value: unknown])[]
}

export interface EditedLetter {
  readonly before: EditableRecord
  /** As it will be read. */
  readonly after: EditableRecord
  /** `key`, `value`, `headers`. */
  readonly changed: readonly string[]
  /** For this topic and partition. */
  batch(topic: string, partition: number): SealedBatch
}

export interface LetterEdit {
  readonly letter: DeadLetter
  readonly record: EditableRecord
  /** Why key or value are shown as bytes. */
  readonly undecoded: { readonly key?: string; readonly value?: string }
  /** Throws REPLAY_REFUSED with what is wrong. */
  apply(text: string): Promise<EditedLetter>
}

export interface LetterEditParts {
  readonly port: Pick<KafkaPort, 'admin' | 'scan'>
  readonly topology: Topology
  /** With what codecs are opened. */
  readonly readers: ReaderParts
  readonly signal: AbortSignal
}

interface Bytes {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** Rejects REPLAY_REFUSED where there is no such letter, or its value is not to be had. */
export async function openLetterEdit(parts: LetterEditParts, place: LetterPlace): Promise<LetterEdit> {
  const { letter, bytes } = await readLetter(parts, place)
  const sources = (parts.topology.whole ?? parts.topology).sources
  const source = sources.find(({ topic }) => topic === letter.original.topic)
  if (source === undefined)
    throw refused(
      `${placeOf(letter)} was first read from ${letter.original.topic ?? '?'}, which the topology does not read`,
    )
  const fields = {
    key: await openEditField(source, 'key', parts.readers),
    value: await openEditField(source, 'value', parts.readers),
  }
  const shown = await read(source.topic, bytes, fields)
  return {
    letter,
    ...shown,
    async apply(text) {
      const edited = editedRecord(text, shown.record)
      const isSame = (name: keyof EditableRecord) => isDeepStrictEqual(edited[name], shown.record[name])
      const encoded = (name: 'key' | 'value') =>
        isSame(name) ? bytes[name] : encode(name, fields[name], edited, bytes[name])
      const carried = bytes.headers.filter(([name]) => !name.startsWith(KRI_PREFIX))
      const headers = isSame('headers') ? carried : edited.headers.map(headerOf)
      const next = { key: encoded('key'), value: encoded('value'), headers }
      const { record: after, undecoded } = await read(source.topic, next, fields)
      for (const name of ['key', 'value'] as const)
        if (undecoded[name] !== undefined && !isSame(name))
          throw refused(`the ${name} cannot be decoded as it is now: ${undecoded[name]}`)
      const changed = (['key', 'value', 'headers'] as const).filter(
        name => !isDeepStrictEqual(after[name], shown.record[name]),
      )
      return {
        before: shown.record,
        after,
        changed,
        batch: (topic, partition) => batchOf(topic, partition, letter, bytes, next),
      }
    },
  }
}

async function readLetter({ port, signal }: LetterEditParts, { topic, partition, offset }: LetterPlace) {
  for await (const block of scanWhole(port, [{ topic, partition, from: offset, to: offset + 1 }], signal))
    for (let row = 0; row < block.count; row++) {
      if (block.offset(row) !== offset) continue
      const letter = deadLetterOf(block, row)
      const headers = block.headers(row).map(([name, value]): Header => [name, copied(value)])
      const original =
        letter.leftOut === null ? { value: block.value(row) } : await new OriginalValues(port, signal).of(letter)
      if ('why' in original) throw refused(`${placeOf(letter)} cannot be edited: ${original.why}`)
      return { letter, bytes: { key: copied(block.key(row)), value: copied(original.value), headers } }
    }
  throw refused(`${topic}/${partition}/${offset} has no record: it was never written, or retention has removed it`)
}

/** As the application will read it. */
async function read(
  topic: string,
  { key, value, headers }: Bytes,
  fields: { readonly key: EditField; readonly value: EditField },
): Promise<Pick<LetterEdit, 'record' | 'undecoded'>> {
  const { bytes } = sealed(topic, 0, { key, value, headers: [] }, 0)
  const block = readRecordBlock({ topic, partition: 0, records: bytes, startOffset: 0, endOffset: 1, checkCrc: false })
  await fields.key.prepare(block)
  await fields.value.prepare(block)
  const [shownKey, shownValue] = [fields.key.show(key), fields.value.show(value)]
  const carried = headers.filter(([name]) => !name.startsWith(KRI_PREFIX))
  return {
    record: {
      key: shownKey.json,
      value: shownValue.json,
      headers: carried.map(([name, bytes]) => [name, shownHeader(bytes)] as const),
    },
    undecoded: {
      ...(shownKey.undecoded !== undefined && { key: shownKey.undecoded }),
      ...(shownValue.undecoded !== undefined && { value: shownValue.undecoded }),
    },
  }
}

/** What is left out stays as it is. */
function editedRecord(text: string, before: EditableRecord): EditableRecord {
  let json: unknown
  try {
    json = parseJson(text, 'bigint')
  } catch (error) {
    throw refused(`the edited record is no JSON: ${(error as Error).message}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw refused('the edited record is no object: expected key, value and headers')
  const unknown = Object.keys(json).filter(name => !Object.hasOwn(before, name))
  if (unknown.length > 0)
    throw refused(`the edited record has ${unknown.join(', ')}: expected key, value and headers alone`)
  const edited = { ...before, ...json }
  if (!Array.isArray(edited.headers) || !edited.headers.every(each => Array.isArray(each) && each.length === 2))
    throw refused('headers are wrong: expected a list of [name, value]')
  return edited
}

function encode(name: 'key' | 'value', field: EditField, edited: EditableRecord, before: Buffer | null): Buffer | null {
  try {
    return field.encode(edited[name], before)
  } catch (error) {
    throw refused(`the ${name} cannot be written: ${(error as Error).message}`)
  }
}

function headerOf([name, value]: readonly [string, unknown]): Header {
  if (typeof name !== 'string') throw refused('headers are wrong: expected a list of [name, value]')
  checkHeader(name, typeof value === 'string' ? value : null)
  if (value === null) return [name, null]
  if (typeof value === 'string') return [name, Buffer.from(value)]
  if (isRaw(value)) return [name, Buffer.from(value.base64, 'base64')]
  throw refused(`header ${JSON.stringify(name)} is wrong: expected a text, {"base64": "…"} or null`)
}

function shownHeader(bytes: Buffer | null): unknown {
  if (bytes === null) return null
  return readUtf8(bytes, 0, bytes.length) ?? { base64: bytes.toString('base64') }
}

/** With what says where the letter failed, and that it is not as it was. */
function batchOf(topic: string, partition: number, letter: DeadLetter, { headers }: Bytes, next: Bytes): SealedBatch {
  const untrue = [KRI_EDITED_FROM, ...(letter.leftOut === null ? [] : [KRI_VALUE_BYTES, KRI_VALUE_SHA256])]
  const ours = headers.filter(([name]) => name.startsWith(KRI_PREFIX) && !untrue.includes(name))
  const from: Header = [KRI_EDITED_FROM, Buffer.from(placeOf(letter))]
  return sealed(
    topic,
    partition,
    { ...next, headers: [...next.headers, ...ours, from] },
    letter.original.timestamp ?? letter.writtenAt,
  )
}

function sealed(topic: string, partition: number, { key, value, headers }: Bytes, timestamp: number): SealedBatch {
  const builder = new RecordBatchBuilder(topic, partition, MAX_BATCH_BYTES)
  const wire = encodeHeaders(headers)
  builder.append({
    ...{ ...emptyRecord(), timestamp },
    ...{ key, keyEnd: key?.length ?? 0, value, valueEnd: value?.length ?? 0 },
    ...{ headers: wire, headersEnd: wire.length, headerCount: headers.length },
  })
  return builder.seal()
}

function copied(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}
