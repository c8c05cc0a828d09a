// A reader whose fetches wait until the test answers them.
import { AnswerReader } from '../../src/kafkajs/answer-reader.ts'
import type { FetchAnswer } from '../../src/kafkajs/fetch-request.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import { Reader } from '../../src/kafkajs/reader.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { valuesOf } from './record-batches.ts'

export const LONG_POLL_MS = 500

/** One fetch that waits for its answer. */
interface Fetch {
  readonly broker: number
  readonly maxWaitMs: number
  /** `topic/partition@offset` */
  readonly asked: readonly string[]
  readonly answer: PromiseWithResolvers<FetchAnswer>
}

/** A reader of t/0 and t/1 on broker 1, or of one partition for each of these leaders; each fetch waits in `fetches` until the test answers it. */
export async function scriptedReader(leaders = [1, 1]) {
  const clock = createManualClock()
  const events: string[] = []
  const fetches: Fetch[] = []
  let refreshes = 0
  let refreshed = () => {}
  const topic = { name: 't', errorCode: 0, leaders, replicationFactor: 1 }
  const reader = new Reader({
    cluster: {
      topic: () => topic,
      leader: (_topic, partition) => topic.leaders[partition]!,
      refresh: async () => {
        refreshes++
        refreshed()
      },
      onRefresh: listener => {
        refreshed = listener
        return () => {}
      },
      channel: broker => ({
        send: async <T>(protocol: Protocol<T>) => {
          const answer = Promise.withResolvers<FetchAnswer>()
          fetches.push({ broker, ...(await readRequest(protocol)), answer })
          return (await answer.promise) as T
        },
      }),
    },
    clock,
    random: () => 0.5,
    purpose: 'p',
    settings: { maxBytesPerPartition: 1_000, maxBytesPerFetch: 10_000, maxFetchWaitMs: LONG_POLL_MS },
    onBlock: (block, epoch) => void events.push(`${block.partition}:${epoch} ${valuesOf(block).join()}`),
    onTrouble: (what, failure) => void events.push(`${what} ${failure?.code ?? 'well'}`),
    onFatal: error => void events.push(`fatal ${error.code}`),
  })
  reader.run()
  reader.add(leaders.map((_, partition) => ({ topic: 't', partition, epoch: partition + 1, position: 0 })))
  await clock.settle()
  const take = async () => {
    await clock.settle()
    return fetches.shift()
  }
  return { clock, reader, events, fetches, take, topic, refreshes: () => refreshes }
}

async function readRequest(protocol: { readonly request: object }) {
  const { encode } = protocol.request as { encode(): Promise<WirePayload> }
  const bytes = Buffer.concat((await encode()).chunks)
  const maxWaitMs = bytes.readInt32BE(4)
  // Behind replica, three limits, isolation and session.
  const reader = new AnswerReader(bytes.subarray(25))
  const asked = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      reader.int32()
      const offset = reader.int64()
      reader.int64()
      reader.int32()
      return `${topic}/${partition}@${offset}`
    })
  })
  return { maxWaitMs, asked: asked.flat().sort() }
}

/** One partition of an answer. */
export function fetched(partition: number, records: Buffer, errorCode = 0) {
  return {
    topic: 't',
    partition,
    errorCode,
    highWatermark: 100,
    lastStableOffset: 100,
    logStartOffset: 0,
    abortedTransactions: [],
    records,
  }
}

export const answerWith = (...partitions: ReturnType<typeof fetched>[]): FetchAnswer => ({
  errorCode: 0,
  partitions,
  clientSideThrottleTime: 0,
})

export const zero = { topic: 't', partition: 0 }
