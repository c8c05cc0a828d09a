// A transactional writer whose coordinators and brokers answer what a test says.
import { RunInferenceError } from '../../src/errors.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { ATTRIBUTE, BATCH } from '../../src/kafka/record-batch-format.ts'
import { AnswerReader } from '../../src/kafkajs/answer-reader.ts'
import { CoordinatorWatch } from '../../src/kafkajs/coordinator-watch.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import type { ProduceAnswer } from '../../src/kafkajs/produce-request.ts'
import { TopicSightings } from '../../src/kafkajs/topic-sightings.ts'
import { TransactionWriter } from '../../src/kafkajs/transactional-writer.ts'
import { Troubles } from '../../src/kafkajs/troubles.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { plainRecord, sealedBatch } from './record-batches.ts'

export const TIMEOUT_MS = 15_000
const FIRST_PRODUCER_ID = 100

export const CODES = {
  CONCURRENT_TRANSACTIONS: 51,
  COORDINATOR_NOT_AVAILABLE: 15,
  GROUP_AUTHORIZATION_FAILED: 30,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  INVALID_TXN_STATE: 48,
  MESSAGE_TOO_LARGE: 10,
  NOT_COORDINATOR: 16,
  NOT_LEADER: 6,
  OPERATION_NOT_ATTEMPTED: 55,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  PRODUCER_FENCED: 90,
  TOPIC_AUTHORIZATION_FAILED: 29,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  UNKNOWN_PRODUCER_ID: 59,
  UNKNOWN_TOPIC: 3,
}

/** What an API answers next: a code, for one partition or for all; nothing (an outage); or it waits. */
export type Scripted = number | Readonly<Record<number, number>> | 'no answer' | Promise<void>

interface CoordinatorArgs {
  readonly producerEpoch?: number
  readonly groupId?: string
  readonly topics?: readonly { readonly topic: string; readonly partitions: readonly (number | SentOffset)[] }[]
  readonly transactionResult?: boolean
}

interface SentOffset {
  readonly partition: number
  readonly offset: string
}

/** One batch as the broker sees it. */
export interface SentBatch {
  readonly broker: number
  readonly partition: number
  readonly value: string
  readonly epoch: number
  readonly sequence: number
  readonly transactional: boolean
  readonly bytes: Buffer
}

/** A writer of id 'x', and topic t with four partitions, two of them led by broker 2. */
export function scriptedTransactions({ logger = silentLogger }: { logger?: Logger } = {}) {
  const clock = createManualClock()
  const script = new Map<string, Scripted[]>()
  /** Requests in order, e.g. `EndTxn 0 commit`: API, epoch, what it is about. */
  const requests: string[] = []
  const batches: SentBatch[] = []
  const topic = { name: 't', errorCode: 0, leaders: [1, 1, 2, 2], replicationFactor: 1 }
  /** Partitions that the next produce requests are not answered for. */
  const unanswered = new Set<number>()
  let epoch = -1
  let refreshes = 0
  let hasLeft = false

  async function next(api: string): Promise<(partition: number) => number> {
    const scripted = script.get(api)?.shift() ?? 0
    if (scripted === 'no answer') throw new RunInferenceError('BROKER_UNAVAILABLE', `${api}: no answer`)
    if (scripted instanceof Promise) await scripted
    if (typeof scripted === 'number') return () => scripted
    return partition => (scripted instanceof Promise ? 0 : (scripted[partition] ?? 0))
  }
  const call = async <T>(api: string, args: object): Promise<T> => {
    const { producerEpoch, groupId = '', topics = [], transactionResult } = args as CoordinatorArgs
    const numbers = topics.flatMap(({ partitions }) =>
      partitions.map(p => (typeof p === 'number' ? `${p}` : `${p.partition}@${p.offset}`)),
    )
    const end = transactionResult === undefined ? '' : transactionResult ? 'commit' : 'abort'
    requests.push([api, producerEpoch ?? '', groupId, numbers.join(), end].join(' ').replace(/ +/g, ' ').trim())
    const codeOf = await next(api)
    const errors = topics.map(({ topic: name, partitions }) => {
      const list = partitions.map(p => (typeof p === 'number' ? p : p.partition))
      const errorCodes = list.map(partition => ({ partition, errorCode: codeOf(partition) }))
      return { topic: name, partitions: errorCodes, partitionErrors: errorCodes }
    })
    const errorCode = codeOf(0)
    if (api === 'InitProducerId' && errorCode === 0) epoch++
    return { errorCode, errors, topics: errors, producerId: String(FIRST_PRODUCER_ID), producerEpoch: epoch } as T
  }
  const send = async <T>(broker: number, protocol: Protocol<T>): Promise<T> => {
    const sent = await readProduce(broker, protocol)
    batches.push(...sent)
    requests.push(`Produce ${broker} ${sent.map(({ partition, value }) => `${partition}=${value}`).join()}`)
    const codeOf = await next('Produce')
    const partitions = sent
      .filter(({ partition }) => !unanswered.delete(partition))
      .map(({ partition }) => ({ topic: 't', partition, errorCode: codeOf(partition), baseOffset: 7 }))
    const answer: ProduceAnswer = { partitions, clientSideThrottleTime: 0 }
    return answer as T
  }
  const writer = new TransactionWriter(
    {
      cluster: {
        coordinator: async type => {
          const lookup = await next(`find ${type}`)
          if (lookup(0) !== 0) throw new RunInferenceError('BROKER_UNAVAILABLE', 'no coordinator')
          return { address: `${type}:1`, call }
        },
        forgetCoordinator: type => void requests.push(`forget ${type}`),
        track: () => false,
        refresh: async () => void refreshes++,
        topic: name => (name === 't' && refreshes > 0 ? topic : undefined),
        leader: (_topic, partition) => topic.leaders[partition]!,
        channel: broker => ({ send: protocol => send(broker, protocol) }),
      },
      clock,
      random: () => 1,
      troubles: new Troubles(logger, () => {}),
      sightings: new TopicSightings(),
      watch: new CoordinatorWatch(clock, logger),
      purpose: 'p',
      leave: () => {
        hasLeft = true
      },
    },
    { transactionalId: 'x', timeoutMs: TIMEOUT_MS },
  )
  return {
    clock,
    writer,
    requests,
    batches,
    topic,
    unanswered,
    answer: (api: string, ...answers: Scripted[]) => script.set(api, answers),
    hasLeft: () => hasLeft,
    /** The writer behind its first fence, with nothing noted. */
    async fenced() {
      await writer.fence()
      requests.length = 0
      return writer
    },
  }
}

async function readProduce(broker: number, protocol: { readonly request: object }): Promise<SentBatch[]> {
  const { encode } = protocol.request as { encode(): Promise<WirePayload> }
  const { chunks } = await encode()
  const transactionalId = new AnswerReader(chunks[0]!).string()
  const sent = []
  // Every second chunk is a batch; the one in front of it ends with partition and length.
  for (let i = 0; i + 1 < chunks.length; i += 2) {
    const [head, bytes] = [chunks[i]!, Buffer.from(chunks[i + 1]!)]
    const attributes = bytes.readInt16BE(BATCH.attributes)
    sent.push({
      broker,
      partition: head.readInt32BE(head.length - 8),
      value: bytes.toString('latin1', BATCH.records + 6, BATCH.records + 7),
      epoch: bytes.readInt16BE(BATCH.producerEpoch),
      sequence: bytes.readInt32BE(BATCH.baseSequence),
      transactional: transactionalId === 'x' && (attributes & ATTRIBUTE.transactional) !== 0,
      bytes,
    })
  }
  return sent
}

/** `count` records, of which the first says `value`. */
export function batch(partition: number, value: string, count = 1, padding = 0): SealedBatch {
  const records = Array.from({ length: count }, (_, i) => plainRecord(i === 0 ? value + ' '.repeat(padding) : '-'))
  return sealedBatch(records, 't', partition)
}
