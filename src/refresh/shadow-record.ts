/**
 * What two models said of one record: a record of `<topology>.<step>.shadow`, JSON in UTF-8. Its key is the key of the source
 * record, byte for byte.
 *
 * R1. The value takes at most `maxBytes`. Inferences that do not fit are both left out, and it says so; whether they differ stays.
 * R2. Whatever models say, it can be written.
 */
import { RunInferenceError } from '../errors.ts'
import { parseJson } from '../kafka/json-text.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'
import { show } from '../problem.ts'
import { inferenceJson } from './inference-json.ts'
import { type Comparison, compareInferences } from './shadow-comparison.ts'

/** Of one model: what it says of the record, or why it says nothing. */
export interface ShadowInference {
  readonly modelId: string
  /** Undefined where it was left out, or there is an error. Read back, it is what JSON makes of it. */
  readonly inference?: unknown
  /** Code and message; only the candidate's, since records that fail on the stable model are not given to the candidate. */
  readonly error?: string
}

export interface ShadowRecord extends Comparison {
  /** Where the record was read. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number }
  readonly stable: ShadowInference
  readonly candidate: ShadowInference
  /** Why there are no inferences. */
  readonly leftOut?: string
}

/** A quarter of what brokers take for a record unless told otherwise. */
export const SHADOW_MAX_BYTES = 262_144
/** Texts of ours that others have written. Within it, a record without inferences takes less than 64 KiB. */
const MAX_ID_CHARS = 4_096
const MAX_ERROR_CHARS = 1_000

/** Compares the two. A candidate that failed differs. */
export function shadowRecord(
  source: ShadowRecord['source'],
  stable: ShadowInference,
  candidate: ShadowInference,
): ShadowRecord {
  const hasFailed = candidate.error !== undefined
  const compared = hasFailed ? FAILED : compareInferences(stable.inference, candidate.inference)
  return { source, stable, candidate, ...compared }
}

const FAILED: Comparison = { differs: true, maxDifference: 0 }

/** `maxBytes`: at least 65,536. Nothing of the inferences is kept. */
export function encodeShadowRecord(record: ShadowRecord, maxBytes = SHADOW_MAX_BYTES): Buffer {
  const { source, stable, candidate, differs, maxDifference, leftOut } = record
  const plain = (left?: string) => {
    const sides = [headOf(stable), headOf(candidate)] as const
    return {
      source,
      stable: sides[0],
      candidate: sides[1],
      differs,
      maxDifference,
      ...(left && { leftOut: cut(left, MAX_ERROR_CHARS) }),
    }
  }
  if (leftOut !== undefined) return Buffer.from(JSON.stringify(plain(leftOut)))
  const room = maxBytes - Buffer.byteLength(JSON.stringify(plain())) - 2 * INFERENCE.length
  const first = inferenceOf(stable, room)
  if ('leftOut' in first) return Buffer.from(JSON.stringify(plain(first.leftOut)))
  const second = inferenceOf(candidate, room - Buffer.byteLength(first.text))
  if ('leftOut' in second) return Buffer.from(JSON.stringify(plain(second.leftOut)))
  const text =
    `{"source":${JSON.stringify(source)},"stable":${withInference(stable, first.text)},` +
    `"candidate":${withInference(candidate, second.text)},"differs":${differs},"maxDifference":${maxDifference}}`
  return Buffer.from(text)
}

const INFERENCE = ',"inference":'

/** All of a side but its inference. */
function headOf({ modelId, error }: ShadowInference): ShadowInference {
  const head = { modelId: cut(modelId, MAX_ID_CHARS) }
  return error === undefined ? head : { ...head, error: cut(error, MAX_ERROR_CHARS) }
}

function inferenceOf({ inference, error }: ShadowInference, maxBytes: number): ReturnType<typeof inferenceJson> {
  return error === undefined ? inferenceJson(inference, maxBytes) : { text: '' }
}

function withInference(side: ShadowInference, text: string): string {
  const head = JSON.stringify(headOf(side))
  return text === '' ? head : `${head.slice(0, -1)}${INFERENCE}${text}}`
}

function cut(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`
}

/** Reads a value; fields that are not known are left out. `where`: the record, for messages. Throws DECODE_MALFORMED with the field that is wrong. */
export function parseShadowRecord(value: Buffer, where: string): ShadowRecord {
  const given = fields('the value', jsonOf(value, where), where)
  const source = fields('source', given.source, where)
  return {
    source: {
      topic: checked('source.topic', source.topic, 'a text', isText, where),
      partition: checked('source.partition', source.partition, WHOLE, isWhole, where),
      offset: checked('source.offset', source.offset, WHOLE, isWhole, where),
    },
    stable: sideOf('stable', given.stable, where),
    candidate: sideOf('candidate', given.candidate, where),
    differs: checked('differs', given.differs, 'true or false', isBoolean, where),
    maxDifference: checked('maxDifference', given.maxDifference, 'a number from 0', isDistance, where),
    ...(given.leftOut === undefined ? {} : { leftOut: checked('leftOut', given.leftOut, 'a text', isText, where) }),
  }
}

function sideOf(at: string, value: unknown, where: string): ShadowInference {
  const { modelId, error, inference } = fields(at, value, where)
  return {
    modelId: checked(`${at}.modelId`, modelId, 'a text', isText, where),
    ...(inference === undefined ? {} : { inference }),
    ...(error === undefined ? {} : { error: checked(`${at}.error`, error, 'a text', isText, where) }),
  }
}

const WHOLE = 'a whole number from 0'
const isText = (value: unknown) => typeof value === 'string'
const isBoolean = (value: unknown) => typeof value === 'boolean'
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isDistance = (value: unknown): value is number => typeof value === 'number' && value >= 0

function checked<T>(
  at: string,
  value: unknown,
  expected: string,
  holds: (value: unknown) => value is T,
  where: string,
): T {
  if (holds(value)) return value
  throw unreadable(where, at, expected, show(value))
}

function fields(at: string, value: unknown, where: string): Readonly<Record<string, unknown>> {
  const isFields = (given: unknown) => typeof given === 'object' && given !== null && !Array.isArray(given)
  if (isFields(value)) return value as Readonly<Record<string, unknown>>
  throw unreadable(where, at, 'an object', show(value))
}

function jsonOf(value: Buffer, where: string): unknown {
  const text = readUtf8(value, 0, value.length)
  if (text === undefined) throw unreadable(where, 'the value', 'UTF-8', 'other bytes')
  try {
    return parseJson(text)
  } catch (error) {
    throw unreadable(where, 'the value', 'JSON', (error as Error).message)
  }
}

function unreadable(where: string, at: string, expected: string, got: string): RunInferenceError {
  const what = `${where}: ${at} cannot be used, expected ${expected}, got ${got}`
  return new RunInferenceError(
    'DECODE_MALFORMED',
    `${what}. Something else writes to this topic, or a later version does`,
  )
}
