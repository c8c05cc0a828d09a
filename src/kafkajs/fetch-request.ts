/**
 * Fetch, version 11, without a fetch session. Records are left as bytes for `readRecordBlock`, and error codes are left
 * to the caller, who knows what each partition is to him.
 */

import type { AbortedTransaction } from '../kafka/aborted-transactions.ts'
import { AnswerReader } from './answer-reader.ts'
import { RequestWriter } from './request-writer.ts'
import { WirePayload } from './wire-payload.ts'

const FETCH = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' } as const
const ISOLATION = { read_uncommitted: 0, read_committed: 1 } as const
const NO_SESSION = { id: 0, epoch: -1 }
/** Beyond the wait that was asked for: what an answer may take on its way. */
const NETWORK_DELAY_MS = 5000

export interface FetchPartition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly maxBytes: number
}

export interface FetchOptions {
  /** In the order in which the broker fills the answer: whoever comes first is served first. */
  readonly partitions: readonly FetchPartition[]
  readonly isolation: keyof typeof ISOLATION
  /** How long the broker may hold the request while fewer than `minBytes` are there. */
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
}

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** 0, or the protocol's error code. */
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Of transactions that touch `records`; in no order. Empty when not reading committed. */
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** Record batches, a view into the answer; the last may be cut off. */
  readonly records: Buffer
}

export interface FetchAnswer {
  /** Of the whole request. */
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
  /** Milliseconds that this connection must stay quiet; kafkajs keeps to it. */
  readonly clientSideThrottleTime: number
}

/** The request and its decoder, for a connection's `send`. */
export function fetchRequest(options: FetchOptions) {
  return {
    request: { ...FETCH, encode: async () => encode(options) },
    response: { decode: async (payload: Buffer) => decode(payload) },
    requestTimeout: options.maxWaitMs + NETWORK_DELAY_MS,
  }
}

function encode(options: FetchOptions): WirePayload {
  const byTopic = Map.groupBy(options.partitions, partition => partition.topic)
  const writer = new RequestWriter()
    .int32(-1) // replica id of a consumer
    .int32(options.maxWaitMs)
    .int32(options.minBytes)
    .int32(options.maxBytes)
    .int8(ISOLATION[options.isolation])
    .int32(NO_SESSION.id)
    .int32(NO_SESSION.epoch)
    .int32(byTopic.size)
  for (const [topic, partitions] of byTopic) {
    writer.string(topic).int32(partitions.length)
    for (const { partition, offset, maxBytes } of partitions) {
      writer
        .int32(partition)
        .int32(-1) // leader epoch: not checked
        .int64(offset)
        .int64(-1) // log start offset: of followers only
        .int32(maxBytes)
    }
  }
  writer.int32(0).string('') // no topics to forget; no rack
  return new WirePayload([writer.take()])
}

function decode(payload: Buffer): FetchAnswer {
  const reader = new AnswerReader(payload)
  const clientSideThrottleTime = reader.int32()
  const errorCode = reader.int16()
  reader.int32() // session id
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => readPartition(topic, reader))
  })
  return { errorCode, partitions: topics.flat(), clientSideThrottleTime }
}

function readPartition(topic: string, reader: AnswerReader): FetchedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const abortedTransactions = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }))
  reader.int32() // preferred read replica: asked for by rack only
  const records = reader.bytes()
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    records,
  }
}
