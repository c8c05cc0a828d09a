/** A dead letter as its topic has it: what failed, where, why and when, read from headers that anybody may have written. */
import * as names from '../kafka/headers.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'
import { FactReader } from './fact-reader.ts'

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

// One for all: what it remembers of the record before saves time, and changes nothing.
const facts = new FactReader(Object.values(names).filter(name => name !== names.KRI_PREFIX))
const application = facts.fact(names.KRI_APPLICATION)
const step = facts.fact(names.KRI_STEP)
const node = facts.fact(names.KRI_NODE)
const stage = facts.fact(names.KRI_STAGE)
const index = facts.fact(names.KRI_INDEX)
const code = facts.fact(names.KRI_CODE)
const errorType = facts.fact(names.KRI_ERROR_TYPE)
const message = facts.fact(names.KRI_ERROR_MESSAGE)
const stack = facts.fact(names.KRI_ERROR_STACK)
const modelId = facts.fact(names.KRI_MODEL_ID)
const attempt = facts.fact(names.KRI_ATTEMPT)
const failedElements = facts.fact(names.KRI_FAILED_ELEMENTS)
const replayCount = facts.fact(names.KRI_REPLAY_COUNT)
const failedAt = facts.fact(names.KRI_FAILED_AT)
const originalTopic = facts.fact(names.KRI_ORIGINAL_TOPIC)
const originalPartition = facts.fact(names.KRI_ORIGINAL_PARTITION)
const originalOffset = facts.fact(names.KRI_ORIGINAL_OFFSET)
const originalTimestamp = facts.fact(names.KRI_ORIGINAL_TIMESTAMP)
const valueBytes = facts.fact(names.KRI_VALUE_BYTES)
const valueSha256 = facts.fact(names.KRI_VALUE_SHA256)

/** Reads one row of a dead-letter topic. Holds nothing of the block. */
export function deadLetterOf(block: RecordBlock, row: number): DeadLetter {
  facts.read(block, row)
  return {
    topic: block.topic,
    partition: block.partition,
    offset: block.offset(row),
    writtenAt: block.timestamp(row),
    application: facts.text(application),
    step: facts.text(step),
    node: facts.text(node),
    stage: facts.text(stage),
    index: facts.whole(index),
    code: facts.text(code),
    errorType: facts.text(errorType),
    message: facts.text(message),
    stack: facts.text(stack),
    modelId: facts.text(modelId),
    attempt: facts.whole(attempt),
    failedElements: facts.whole(failedElements),
    replayCount: Math.max(0, facts.whole(replayCount) ?? 0),
    failedAt: facts.whole(failedAt),
    original: {
      topic: facts.text(originalTopic),
      partition: facts.whole(originalPartition),
      offset: facts.whole(originalOffset),
      timestamp: facts.whole(originalTimestamp),
    },
    leftOut: facts.has(valueBytes) ? { bytes: facts.whole(valueBytes), sha256: facts.text(valueSha256) } : null,
  }
}

/** The headers of the source record; values are views into the block. */
export function carriedHeaders(block: RecordBlock, row: number): readonly Header[] {
  return block.headers(row).filter(([name]) => !isFact(name))
}

function isFact(name: string): boolean {
  return name.startsWith(names.KRI_PREFIX)
}
