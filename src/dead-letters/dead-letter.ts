/** A dead letter as its topic has it: what failed, where, why and when, read from headers that anybody may have written. */
import * as names from '../kafka/headers.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'

/** Facts that a record does not state, or states as no number, are null. Texts are as they were written. */
export interface DeadLetter {
  /** Where the dead letter itself is. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970 at which it came to its topic. */
  readonly writtenAt: number
  readonly application: string | null
  readonly step: string | null
  readonly node: string | null
  readonly stage: string | null
  /** Which function of its kind failed, from 0. */
  readonly index: number | null
  readonly code: string | null
  readonly errorType: string | null
  readonly message: string | null
  readonly stack: string | null
  readonly modelId: string | null
  readonly attempt: number | null
  /** Elements of the record that failed alike. */
  readonly failedElements: number | null
  /** How often the record had been replayed before it failed. */
  readonly replayCount: number
  /** Milliseconds since 1970. */
  readonly failedAt: number | null
  /** Where the source record was read first; its timestamp in milliseconds since 1970. */
  readonly original: {
    readonly topic: string | null
    readonly partition: number | null
    readonly offset: number | null
    readonly timestamp: number | null
  }
  /** Of a value that was too large to keep: bytes and sha256 in hexadecimal; null where the record has its value. */
  readonly leftOut: { readonly bytes: number | null; readonly sha256: string | null } | null
}

/** Reads one row of a dead-letter topic. Holds nothing of the block. */
export function deadLetterOf(block: RecordBlock, row: number): DeadLetter {
  const facts = new Map<string, string>()
  for (const [name, value] of block.headers(row)) if (isFact(name)) facts.set(name, value?.toString() ?? '')
  const text = (name: string) => facts.get(name) ?? null
  const whole = (name: string) => wholeNumber(facts.get(name))
  return {
    topic: block.topic,
    partition: block.partition,
    offset: block.offset(row),
    writtenAt: block.timestamp(row),
    application: text(names.KRI_APPLICATION),
    step: text(names.KRI_STEP),
    node: text(names.KRI_NODE),
    stage: text(names.KRI_STAGE),
    index: whole(names.KRI_INDEX),
    code: text(names.KRI_CODE),
    errorType: text(names.KRI_ERROR_TYPE),
    message: text(names.KRI_ERROR_MESSAGE),
    stack: text(names.KRI_ERROR_STACK),
    modelId: text(names.KRI_MODEL_ID),
    attempt: whole(names.KRI_ATTEMPT),
    failedElements: whole(names.KRI_FAILED_ELEMENTS),
    replayCount: Math.max(0, whole(names.KRI_REPLAY_COUNT) ?? 0),
    failedAt: whole(names.KRI_FAILED_AT),
    original: {
      topic: text(names.KRI_ORIGINAL_TOPIC),
      partition: whole(names.KRI_ORIGINAL_PARTITION),
      offset: whole(names.KRI_ORIGINAL_OFFSET),
      timestamp: whole(names.KRI_ORIGINAL_TIMESTAMP),
    },
    leftOut: facts.has(names.KRI_VALUE_BYTES)
      ? { bytes: whole(names.KRI_VALUE_BYTES), sha256: text(names.KRI_VALUE_SHA256) }
      : null,
  }
}

/** The headers of the source record; values are views into the block. */
export function carriedHeaders(block: RecordBlock, row: number): readonly Header[] {
  return block.headers(row).filter(([name]) => !isFact(name))
}

function isFact(name: string): boolean {
  return name.startsWith(names.KRI_PREFIX)
}

function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^-?\d{1,16}$/.test(text)) return null
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : null
}
