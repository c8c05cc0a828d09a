import type { ErrorCode } from '../errors.ts'
import { deadLetterOf } from '../pipeline/failed-stream.ts'
import type { FailureListener } from '../pipeline/stage.ts'
import { type DeadLetter, isKV, kv } from '../records.ts'

/** A dead letter as the driver saw it when it was noted: with Beam's element, what the failing function or model received. */
export interface DriverFailure extends DeadLetter {
  readonly code: ErrorCode
  /** Equal for elements that failed with one batch as a whole (`failureUnit: 'batch'`). */
  readonly batch: number | undefined
  /** The record whose dead letter it is. */
  readonly source: {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    /** Milliseconds since 1970. */
    readonly timestamp: number
  }
}

/** Keeps the failures that it is told of; elements are copied, since tensors in them are views. */
export function keepFailures(failures: DriverFailure[]): FailureListener {
  return (work, element, failure, { value, batch }) => {
    const row = work.rowOf(element)
    const { block } = work
    failures.push({
      ...deadLetterOf(failure, copyOf(value)),
      batch,
      source: {
        topic: block.topic,
        partition: block.partition,
        offset: block.offset(row),
        timestamp: block.timestamp(row),
      },
    })
  }
}

/** Typed arrays as arrays of their own, also inside lists, records and keyed elements; all else stays what it is. */
function copyOf(value: unknown): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return (value as Uint8Array).slice()
  if (Array.isArray(value)) return value.map(copyOf)
  if (isKV(value)) return kv(value.key, copyOf(value.value))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyOf(part)]))
}
