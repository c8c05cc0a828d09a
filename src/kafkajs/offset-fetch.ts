/**
 * OffsetFetch, with a version 7 that kafkajs does not have: it takes `requireStable`, by which a partition whose offset is
 * part of a transaction that has not ended is answered with UNSTABLE_OFFSET_COMMIT. Older versions tell the offset of before,
 * and say nothing.
 *
 * A fence ends such transactions before offsets are read, and from Kafka 4.0 on that is enough. Coordinators of older
 * brokers call a transaction ended a moment before they have its offsets, and when they are loading groups, some moments.
 */
import { AnswerReader } from './answer-reader.ts'
import { type RequestDefinition, requests } from './internals.ts'
import { RequestWriter } from './request-writer.ts'
import { WirePayload } from './wire-payload.ts'

const STABLE = { apiKey: 9, apiVersion: 7, apiName: 'OffsetFetch' } as const

export interface OffsetFetchArgs {
  readonly groupId: string
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
  /** Whether an offset that waits for the end of a transaction is an error; brokers before Kafka 2.5 do not know of this. */
  readonly requireStable?: boolean
}

export interface OffsetFetchAnswer {
  readonly errorCode: number
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly errorCode: number
      readonly offset: string
      readonly metadata: string | null
    }[]
  }[]
}

const known = requests.OffsetFetch!
const best = Math.max(...known.versions.map(Number))

/** What `Channel.call` chooses from: kafkajs's versions, and this one. */
export const offsetFetch: RequestDefinition = {
  versions: [...known.versions, String(STABLE.apiVersion)],
  protocol: ({ version }) =>
    version < STABLE.apiVersion ? known.protocol({ version: Math.min(version, best) }) : stableOffsetFetch,
}

function stableOffsetFetch(args: object) {
  return {
    request: { ...STABLE, encode: async () => encode(args as OffsetFetchArgs) },
    response: { decode: async (payload: Buffer) => decode(payload) },
  }
}

/** The first byte belongs to the header: no tagged fields. */
function encode({ groupId, topics, requireStable = false }: OffsetFetchArgs): WirePayload {
  const writer = new RequestWriter().int8(0).compactString(groupId).compactCount(topics.length)
  for (const { topic, partitions } of topics) {
    writer.compactString(topic).compactCount(partitions.length)
    for (const { partition } of partitions) writer.int32(partition)
    writer.int8(0)
  }
  return new WirePayload([
    writer
      .int8(requireStable ? 1 : 0)
      .int8(0)
      .take(),
  ])
}

function decode(payload: Buffer): OffsetFetchAnswer & { readonly clientSideThrottleTime: number } {
  const reader = new AnswerReader(payload)
  reader.tags()
  const clientSideThrottleTime = reader.int32()
  const responses = reader.compactArray(() => {
    const topic = reader.compactString()
    const partitions = reader.compactArray(() => {
      const partition = reader.int32()
      const offset = String(reader.int64())
      reader.int32() // leader epoch
      const metadata = reader.compactString()
      const errorCode = reader.int16()
      reader.tags()
      return { partition, errorCode, offset, metadata }
    })
    reader.tags()
    return { topic, partitions }
  })
  return { clientSideThrottleTime, responses, errorCode: reader.int16() }
}
