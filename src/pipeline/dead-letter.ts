/**
 * A dead letter is the source record, key, value and headers byte for byte, with constant `kri-*` headers that say where,
 * why and when. When it would be too large for its topic, it gives up, in this order: the stack, the message,
 * the value; then size and sha256 of the value stay, and the source position leads to the record itself.
 */
import { createHash } from 'node:crypto'
import * as names from '../kafka/headers.ts'
import type { Header } from '../kafka/record-block.ts'
import { sizeOfHeaders } from '../kafka/record-headers.ts'
import { headerOf, originOf } from './origin.ts'
import type { Failure } from './stage.ts'
import type { EncodedFailure } from './unit-builder.ts'
import type { WorkBlock } from './work-block.ts'

const MAX_MESSAGE_CHARS = 2_000
const MAX_STACK_CHARS = 4_000
/** Counted no further: what is written is a number that is read again, whatever somebody has put there. */
const MAX_REPLAYS = 1_000_000
/** Lengths, deltas and attributes of one record, at most. */
const RECORD_FRAME_BYTES = 64

/** The headers of one dead letter, fitted to `maxBytes`. */
export function encodeFailure(
  applicationId: string,
  failedAtMs: number,
  work: WorkBlock,
  row: number,
  failure: Failure,
  maxBytes: number,
): EncodedFailure {
  const facts = factHeaders(applicationId, failedAtMs, work, row, failure)
  const message = text(names.KRI_ERROR_MESSAGE, cut(failure.error.message, MAX_MESSAGE_CHARS))
  const stack = text(names.KRI_ERROR_STACK, cut(failure.error.thrownStack, MAX_STACK_CHARS))
  const { block } = work
  const keyBytes = Math.max(0, block.keyEnd(row) - block.keyStart(row))
  const valueBytes = block.valueStart(row) < 0 ? 0 : block.valueEnd(row) - block.valueStart(row)
  const carriedBytes = block.headersEnd(row) - block.headersStart(row)
  const room = maxBytes - keyBytes - carriedBytes - RECORD_FRAME_BYTES
  for (const headers of [[...facts, message, stack], [...facts, message], facts]) {
    if (valueBytes + sizeOfHeaders(headers) <= room) return { headers, withoutValue: false }
  }
  const value = block.value(row) ?? Buffer.alloc(0)
  const digest = createHash('sha256').update(value).digest('hex')
  const inItsPlace = [text(names.KRI_VALUE_BYTES, String(value.length)), text(names.KRI_VALUE_SHA256, digest)]
  return { headers: [...facts, ...inItsPlace], withoutValue: true }
}

function factHeaders(
  applicationId: string,
  failedAtMs: number,
  work: WorkBlock,
  row: number,
  failure: Failure,
): Header[] {
  const { block } = work
  const { point, index, error, modelId, attempt = 1 } = failure
  // What is replayed was read somewhere else first, and that is what replays it again.
  const earlier = (name: string) => (work.flow.replay ? headerOf(work, row, name) : undefined)
  const original = (name: string, now: string | number) => text(name, earlier(name) ?? String(now))
  const before = Math.min(Math.max(0, Number(earlier(names.KRI_REPLAY_COUNT)) || 0), MAX_REPLAYS)
  const replays = work.flow.replay ? before + 1 : 0
  const headers: Header[] = [
    text(names.KRI_SOURCE, `${block.topic}/${block.partition}/${block.offset(row)}`),
    text(names.KRI_APPLICATION, applicationId),
    text(names.KRI_NODE, point.node),
    text(names.KRI_STAGE, point.stage),
    text(names.KRI_CODE, error.code),
    text(names.KRI_ERROR_TYPE, error.errorType),
    original(names.KRI_ORIGINAL_TOPIC, block.topic),
    original(names.KRI_ORIGINAL_PARTITION, block.partition),
    original(names.KRI_ORIGINAL_OFFSET, block.offset(row)),
    original(names.KRI_ORIGINAL_TIMESTAMP, block.timestamp(row)),
    text(names.KRI_ATTEMPT, String(attempt)),
    text(names.KRI_REPLAY_COUNT, String(replays)),
    text(names.KRI_FAILED_AT, String(failedAtMs)),
  ]
  if (work.flow.between) headers.push(text(names.KRI_ORIGIN, originOf(work, row)))
  if (point.step !== '') headers.push(text(names.KRI_STEP, point.step))
  if (index >= 0) headers.push(text(names.KRI_INDEX, String(index)))
  if (failure.elements !== undefined) headers.push(text(names.KRI_FAILED_ELEMENTS, String(failure.elements)))
  const editedFrom = earlier(names.KRI_EDITED_FROM)
  if (editedFrom !== undefined) headers.push(text(names.KRI_EDITED_FROM, editedFrom))
  if (modelId !== undefined) headers.push(text(names.KRI_MODEL_ID, modelId))
  return headers
}

function text(name: string, value: string): Header {
  return [name, Buffer.from(value)]
}

function cut(value: string, maxChars: number): string {
  return value.length <= maxChars ? value : `${value.slice(0, maxChars)}…`
}
