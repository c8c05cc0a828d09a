import type { RunInferenceError } from '../errors.ts'
import type { SendResult, WritePermit } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Backoff } from './backoff.ts'
import type { ProducerIdentity } from './producer-identity.ts'

/** When what is held is looked at again. */
const HOLD_MS = 100

/** A batch on its way. */
export interface Outgoing {
  readonly batch: SealedBatch
  readonly permit: WritePermit | undefined
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

/**
 * Takes out what must not be written any more, and has what is held wait. Returns the queues of which an earlier attempt of
 * what was dropped may have been written.
 */
export function applyPermits(ready: Set<PartitionQueue>, nowMs: number): PartitionQueue[] {
  const uncertain: PartitionQueue[] = []
  for (const queue of ready) {
    const { waiting } = queue
    let permit = waiting[0]?.permit?.()
    for (; permit === 'drop'; permit = waiting[0]?.permit?.()) {
      const { attempts, result } = waiting.shift()!
      if (attempts > 0) uncertain.push(queue)
      result.resolve({ outcome: 'dropped', reason: 'what it was made from is no longer ours' })
    }
    if (permit === 'hold') queue.notBeforeMs = Math.max(queue.notBeforeMs, nowMs + HOLD_MS)
    if (waiting.length === 0) ready.delete(queue)
  }
  return uncertain
}

/** Rejects everything that waits for this partition. */
export function rejectAll(queue: PartitionQueue, error: RunInferenceError): void {
  for (const { result } of queue.waiting.splice(0)) result.reject(error)
}
