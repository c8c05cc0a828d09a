/**
 * A dead letter as it is written again: key, value and the source record's headers byte for byte.
 *
 * To a replay topic our headers go along: they say where the record failed, and how often it was replayed (DESIGN's marks). To
 * any other topic they do not: there the record is what it was when it was first read, its time included.
 */
import { KRI_PREFIX, KRI_VALUE_BYTES, KRI_VALUE_SHA256 } from '../kafka/headers.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'
import type { DeadLetter } from './dead-letter.ts'

export interface ReplayedRecord {
  /** Milliseconds since 1970; replay topics put their own in its place. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export interface ReplayedAs {
  /** Whether it goes to a replay topic. */
  readonly isPrivate: boolean
  /** Of the source record, in place of what it has; null takes a header away. */
  readonly setHeaders: Readonly<Record<string, string | null>>
  /** In place of a value that the letter has not. */
  readonly value?: Buffer | null
}

/** Views into the block. */
export function replayedRecord(
  { original, writtenAt }: DeadLetter,
  block: RecordBlock,
  row: number,
  { isPrivate, setHeaders, ...given }: ReplayedAs,
): ReplayedRecord {
  // What stood for a value that is back is true no more.
  const untrue = given.value === undefined ? [] : [KRI_VALUE_BYTES, KRI_VALUE_SHA256]
  const kept = block
    .headers(row)
    .filter(([name]) =>
      name.startsWith(KRI_PREFIX) ? isPrivate && !untrue.includes(name) : !Object.hasOwn(setHeaders, name),
    )
  const set = Object.entries(setHeaders).flatMap(([name, text]): Header[] =>
    text === null ? [] : [[name, Buffer.from(text)]],
  )
  return {
    timestamp: original.timestamp ?? writtenAt,
    key: block.key(row),
    value: given.value === undefined ? block.value(row) : given.value,
    headers: [...kept, ...set],
  }
}
