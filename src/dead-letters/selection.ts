/**
 * Which dead letters are meant. A selection is plain data: it is written to the audit of a replay, and means the same when that
 * is read again.
 *
 * S1. Conditions are combined: a letter has to meet all that are given, and of one with several values any of these.
 * S2. An empty selection means all.
 * S3. What a letter does not state meets no condition about it.
 * S4. Times are those at which letters failed; from is included, until is not.
 */
import type { RecordBlock } from '../kafka/record-block.ts'
import { carriedHeaders, type DeadLetter } from './dead-letter.ts'
import { fingerprintOf } from './fingerprint.ts'

/** `source` or `letter`: offsets of which topic. `from` is included, `until` is not. */
export interface OffsetRange {
  readonly of: 'original' | 'letter'
  readonly topic?: string
  readonly partition: number
  readonly from?: number
  readonly until?: number
}

export interface Selection {
  readonly stages?: readonly string[]
  readonly steps?: readonly string[]
  readonly indexes?: readonly number[]
  readonly codes?: readonly string[]
  readonly fingerprints?: readonly string[]
  readonly models?: readonly string[]
  /** In the message, whatever the case. */
  readonly text?: string
  /** Keys in UTF-8. */
  readonly keys?: readonly string[]
  /** Keys as bytes in hexadecimal. */
  readonly keysHex?: readonly string[]
  /** Of the source record: a name, or a name and its value in UTF-8. All have to be there. */
  readonly headers?: readonly { readonly name: string; readonly value?: string }[]
  readonly offsets?: readonly OffsetRange[]
  /** Milliseconds since 1970. */
  readonly failedFrom?: number
  readonly failedUntil?: number
  readonly minReplays?: number
  readonly maxReplays?: number
}

/** A letter, and the row that it is. */
export type Selects = (letter: DeadLetter, block: RecordBlock, row: number) => boolean

/** Makes the check of all conditions. What is cheap comes first, fingerprints last. */
export function selects(selection: Selection): Selects {
  const checks: Selects[] = []
  const oneOf = <T>(values: readonly T[] | undefined, of: (letter: DeadLetter) => T | null) => {
    if (values === undefined) return
    const wanted = new Set(values)
    checks.push(letter => {
      const value = of(letter)
      return value !== null && wanted.has(value)
    })
  }
  oneOf(selection.stages, ({ stage }) => stage)
  oneOf(selection.steps, ({ step }) => step)
  oneOf(selection.indexes, ({ index }) => index)
  oneOf(selection.codes, ({ code }) => code)
  oneOf(selection.models, ({ modelId }) => modelId)
  const { failedFrom, failedUntil, minReplays, maxReplays, text, headers, offsets } = selection
  if (failedFrom !== undefined) checks.push(({ failedAt }) => failedAt !== null && failedAt >= failedFrom)
  if (failedUntil !== undefined) checks.push(({ failedAt }) => failedAt !== null && failedAt < failedUntil)
  if (minReplays !== undefined) checks.push(({ replayCount }) => replayCount >= minReplays)
  if (maxReplays !== undefined) checks.push(({ replayCount }) => replayCount <= maxReplays)
  const keys = [...(selection.keys ?? []).map(key => Buffer.from(key)), ...(selection.keysHex ?? []).map(fromHex)]
  if (selection.keys !== undefined || selection.keysHex !== undefined)
    checks.push((_, block, row) => {
      const key = block.key(row)
      return key !== null && keys.some(wanted => wanted.equals(key))
    })
  if (offsets !== undefined) checks.push(letter => offsets.some(range => isIn(range, letter)))
  if (text !== undefined) {
    const wanted = text.toLowerCase()
    checks.push(({ message }) => message?.toLowerCase().includes(wanted) === true)
  }
  if (headers !== undefined)
    checks.push((_, block, row) => {
      const carried = carriedHeaders(block, row)
      return headers.every(({ name, value }) =>
        carried.some(([other, bytes]) => other === name && (value === undefined || bytes?.toString() === value)),
      )
    })
  oneOf(selection.fingerprints, fingerprintOf)
  return (letter, block, row) => checks.every(check => check(letter, block, row))
}

function isIn(
  { of, topic, partition, from = 0, until = Number.POSITIVE_INFINITY }: OffsetRange,
  letter: DeadLetter,
): boolean {
  const place = of === 'letter' ? letter : letter.original
  if (place.partition !== partition || place.offset === null) return false
  return (topic === undefined || place.topic === topic) && place.offset >= from && place.offset < until
}

function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
