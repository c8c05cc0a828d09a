/** A record as `consume` shows it: made of what a reader reads and of headers, and printed so that no byte of it moves a terminal. */
import type { ReadField, RecordReader } from '../check/readers.ts'
import { cut, printable, shortJson } from '../check/showable.ts'
import { deadLetterOf } from '../dead-letters/dead-letter.ts'
import { KRI_PREFIX } from '../kafka/headers.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'

const MESSAGE_CHARS = 400

/** Fields are null where the dead letter does not say. */
export interface ShownDeadLetter {
  readonly stage: string | null
  readonly step: string | null
  readonly node: string | null
  readonly code: string | null
  readonly message: string | null
  /** The source record; its timestamp is in milliseconds since 1970. */
  readonly original: {
    readonly topic: string | null
    readonly partition: number | null
    readonly offset: number | null
    readonly timestamp: number | null
  }
  /** Milliseconds since 1970. */
  readonly failedAt: number | null
  readonly modelId: string | null
  /** Size of a value that was too large to keep. */
  readonly valueBytes?: number | null
}

/** What `--json` prints of a record. */
export interface ShownRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: unknown
  readonly value: unknown
  /** Bytes that are no text as `{ base64 }`. */
  readonly headers: readonly (readonly [name: string, value: unknown])[]
  /** Why key or value is shown as its bytes in base64. */
  readonly undecoded?: { readonly key?: string; readonly value?: string }
  readonly deadLetter?: ShownDeadLetter
}

export function showRecord(block: RecordBlock, row: number, reader: RecordReader, isDeadLetter: boolean): ShownRecord {
  const [key, value] = [reader.key(block, row), reader.value(block, row)]
  return {
    topic: block.topic,
    partition: block.partition,
    offset: block.offset(row),
    timestamp: block.timestamp(row),
    key: key.shown,
    value: value.shown,
    headers: block.headers(row).map(([name, bytes]) => [name, bytes && textOrBase64(bytes)] as const),
    ...undecoded(key, value),
    ...(isDeadLetter ? { deadLetter: shownDeadLetter(block, row) } : {}),
  }
}

/** One line of NDJSON. */
export function recordAsJson(record: ShownRecord): string {
  return printable(JSON.stringify(record))
}

/** One line for people; what is long is cut. */
export function recordAsText({ topic, partition, offset, timestamp, ...record }: ShownRecord): string {
  const { deadLetter, undecoded } = record
  const headers = deadLetter ? record.headers.filter(([name]) => !name.startsWith(KRI_PREFIX)) : record.headers
  return [
    `${topic}/${partition}/${offset}`,
    timeText(timestamp),
    ...(deadLetter ? [deadLetterText(deadLetter)] : []),
    fieldText(record.key, undecoded?.key),
    deadLetter?.valueBytes === undefined
      ? fieldText(record.value, undecoded?.value)
      : `(${deadLetter.valueBytes ?? '?'} bytes, too large to keep)`,
    ...headers.map(([name, value]) => `${printable(cut(name))}=${shortJson(value)}`),
  ].join('  ')
}

function deadLetterText({ stage, step, node, code, message, original }: ShownDeadLetter): string {
  const where = step === null ? (node ?? '?') : `step ${step}`
  const from = `${original.topic ?? '?'}/${original.partition ?? '?'}/${original.offset ?? '?'}`
  const what = `${code ?? '?'} in ${stage ?? '?'} of ${where}: ${cut(message ?? '(no message)', MESSAGE_CHARS)}`
  return printable(`${what}  from ${from}`)
}

function fieldText(shown: unknown, reason: string | undefined): string {
  return reason === undefined ? shortJson(shown) : `base64 ${shortJson(shown)} (${printable(cut(reason))})`
}

function undecoded(key: ReadField, value: ReadField): Pick<ShownRecord, 'undecoded'> {
  if (key.reason === undefined && value.reason === undefined) return {}
  return {
    undecoded: {
      ...(key.reason === undefined ? {} : { key: key.reason }),
      ...(value.reason === undefined ? {} : { value: value.reason }),
    },
  }
}

function shownDeadLetter(block: RecordBlock, row: number): ShownDeadLetter {
  const { stage, step, node, code, message, original, failedAt, modelId, leftOut } = deadLetterOf(block, row)
  const facts = { stage, step, node, code, message, original, failedAt, modelId }
  return leftOut === null ? facts : { ...facts, valueBytes: leftOut.bytes }
}

function textOrBase64(bytes: Buffer): unknown {
  return readUtf8(bytes, 0, bytes.length) ?? { base64: bytes.toString('base64') }
}

/** Producers may write any number; −1 is none. */
function timeText(timestamp: number): string {
  const date = new Date(timestamp)
  return timestamp < 0 || Number.isNaN(date.getTime()) ? `time ${timestamp}` : date.toISOString()
}
