/**
 * Produce, version 7, with record batches that are ready as bytes. The answer is read per partition: kafkajs would
 * throw at the first error code and name no partition. The batches are not copied on their way to the socket.
 */

import { RunInferenceError } from '../errors.ts'
import { AnswerReader } from './answer-reader.ts'
import { RequestWriter } from './request-writer.ts'
import { WirePayload } from './wire-payload.ts'

const PRODUCE = { apiKey: 0, apiVersion: 7, apiName: 'Produce' } as const
const ACKS_ALL = -1

/** Bytes of one request; a larger batch goes alone. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024
/** How long the broker may wait for its replicas before it answers REQUEST_TIMED_OUT. */
const REPLICATION_TIMEOUT_MS = 8_000

/** One stamped record batch; a SealedBatch is one. */
export interface ProduceBatch {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}

export interface ProduceOptions {
  /** At most one batch per partition: the broker takes no more. */
  readonly batches: readonly ProduceBatch[]
  /** How long the broker may wait for its replicas; default 8,000. */
  readonly timeoutMs?: number
  readonly transactionalId?: string | null
}

export interface ProducedPartition {
  readonly topic: string
  readonly partition: number
  /** 0, or the protocol's error code. */
  readonly errorCode: number
  /** Offset of the first record, −1 when unknown. */
  readonly baseOffset: number
}

export interface ProduceAnswer {
  readonly partitions: readonly ProducedPartition[]
  /** Milliseconds that this connection must stay quiet; kafkajs keeps to it. */
  readonly clientSideThrottleTime: number
}

/** The request and its decoder, for a connection's `send`. Waits for all in-sync replicas. */
export function produceRequest(options: ProduceOptions) {
  return {
    request: { ...PRODUCE, encode: async () => encode(options) },
    response: { decode: async (payload: Buffer) => decode(payload) },
  }
}

function encode({ batches, timeoutMs = REPLICATION_TIMEOUT_MS, transactionalId = null }: ProduceOptions): WirePayload {
  const byTopic = Map.groupBy(batches, batch => batch.topic)
  const writer = new RequestWriter().string(transactionalId).int16(ACKS_ALL).int32(timeoutMs).int32(byTopic.size)
  const chunks: Buffer[] = []
  for (const [topic, ofTopic] of byTopic) {
    assertOnePerPartition(topic, ofTopic)
    writer.string(topic).int32(ofTopic.length)
    for (const { partition, bytes } of ofTopic) {
      chunks.push(writer.int32(partition).int32(bytes.length).take(), bytes)
    }
  }
  return new WirePayload(chunks)
}

function assertOnePerPartition(topic: string, batches: readonly ProduceBatch[]): void {
  const partitions = new Set(batches.map(batch => batch.partition))
  if (partitions.size === batches.length) return
  throw new RunInferenceError(
    'BUG',
    `A produce request holds ${batches.length} batches for ${partitions.size} partitions of ${topic}; expected one each.`,
  )
}

function decode(payload: Buffer): ProduceAnswer {
  const reader = new AnswerReader(payload)
  const partitions = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      const errorCode = reader.int16()
      const baseOffset = reader.int64()
      reader.int64() // log append time
      reader.int64() // log start offset
      return { topic, partition, errorCode, baseOffset }
    })
  })
  return { partitions: partitions.flat(), clientSideThrottleTime: reader.int32() }
}
