import type { RunInferenceError } from '../errors.ts'
import type { SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Backoff } from './backoff.ts'
import type { ProducerIdentity } from './producer-identity.ts'

/** A batch on its way. */
export interface Outgoing {
  readonly batch: SealedBatch
  readonly result: PromiseWithResolvers<SendResult>
  /** How often it was sent; more than once means that an earlier attempt may have been written. */
  attempts: number
  /** The identity whose sequence its bytes carry; undefined until it is first sent. */
  stampedBy: ProducerIdentity | undefined
}

/** What waits for one output partition; only the first is ever sent, until it is decided. */
export interface PartitionQueue {
  readonly key: string
  readonly topic: string
  readonly partition: number
  readonly waiting: Outgoing[]
  readonly backoff: Backoff
  /** The identity that its batches are stamped by; undefined before the first, and when its sequence was given up. */
  identity: ProducerIdentity | undefined
  inFlight: boolean
  /** Not to be sent before this time of the clock, after an error. */
  notBeforeMs: number
  /** Since when the topic or its leader is missing; infinite when it is not. */
  missingSinceMs: number
}

export function newPartitionQueue(key: string, topic: string, partition: number, backoff: Backoff): PartitionQueue {
  return {
    key,
    topic,
    partition,
    waiting: [],
    backoff,
    identity: undefined,
    inFlight: false,
    notBeforeMs: 0,
    missingSinceMs: Number.POSITIVE_INFINITY,
  }
}

/** Rejects everything that waits for this partition. */
export function rejectAll(queue: PartitionQueue, error: RunInferenceError): void {
  for (const { result } of queue.waiting.splice(0)) result.reject(error)
}
