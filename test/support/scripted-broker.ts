// A broker without a network: it answers the requests of src/kafkajs/ at the level of channels, and gives the error codes that a
// test asks for, in the place where the protocol has them. One group, one member, records as bytes.
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { BATCH } from '../../src/kafka/record-batch-format.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { AnswerReader } from '../../src/kafkajs/answer-reader.ts'
import { Channel } from '../../src/kafkajs/channel.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { type Clock, sleep } from '../../src/ops/clock.ts'

export const KINDS = [
  'Metadata',
  'DescribeConfigs',
  'InitProducerId',
  'GroupCoordinator',
  'JoinGroup',
  'SyncGroup',
  'Heartbeat',
  'OffsetFetch',
  'ListOffsets',
  'OffsetCommit',
  'Fetch',
  'Produce',
] as const
export type Kind = (typeof KINDS)[number]

interface Stored {
  readonly bytes: Buffer
  readonly base: number
  readonly count: number
}

interface Fault {
  readonly code: number
  /** The broker does what it was asked before it says no. */
  readonly isDone: boolean
  left: number
}

// Args and answers have the forms of kafkajs, which has no types for them.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Loose = any

export class ScriptedBroker {
  readonly #clock: Clock
  readonly #topics: ReadonlyMap<string, Stored[]>
  readonly #committed = new Map<string, number>()
  readonly #faults = new Map<Kind, Fault>()
  readonly #original = { call: Channel.prototype.call, send: Channel.prototype.send }
  #generation = 0
  #producers = 0
  #share: Buffer = Buffer.alloc(0)
  /** How often each kind was asked. */
  readonly asked = new Map<Kind, number>()

  /** Topics of one partition. All channels of the process lead here until `end`. */
  constructor(clock: Clock, topics: readonly string[]) {
    this.#clock = clock
    this.#topics = new Map(topics.map(name => [name, []]))
    const call = (api: string, args: object) => this.#call(api as Kind, args)
    const send = (protocol: Protocol<unknown>) => this.#send(protocol)
    Channel.prototype.call = <T>(api: string, args: object) => call(api, args) as Promise<T>
    Channel.prototype.send = <T>(protocol: Protocol<T>) => send(protocol) as Promise<T>
  }

  end(): void {
    Object.assign(Channel.prototype, this.#original)
  }

  /** The next answers to this kind say this. */
  fail(kind: Kind, code: number, times: number, isDone = false): void {
    this.#faults.set(kind, { code, isDone, left: times })
  }

  /** Answers with an error that nobody has asked for yet. */
  unused(kind: Kind): number {
    return this.#faults.get(kind)?.left ?? 0
  }

  append({ topic, bytes, count }: Pick<SealedBatch, 'topic' | 'bytes' | 'count'>): number {
    const log = this.#topics.get(topic)!
    const stamp = bytes.toString('hex', BATCH.producerId, BATCH.baseSequence + 4)
    const before = log.find(other => other.bytes.toString('hex', BATCH.producerId, BATCH.baseSequence + 4) === stamp)
    // A batch without a producer is a new one each time.
    if (before && bytes.readInt32BE(BATCH.baseSequence) >= 0) return before.base
    const base = this.endOf(topic)
    const stored = Buffer.from(bytes)
    stored.writeInt32BE(base, BATCH.baseOffset + 4)
    log.push({ bytes: stored, base, count })
    return base
  }

  values(topic: string): string[] {
    const records = Buffer.concat(this.#topics.get(topic)!.map(({ bytes }) => bytes))
    const block = readRecordBlock({ topic, partition: 0, records, startOffset: 0, endOffset: 0, checkCrc: false })
    return Array.from({ length: block.count }, (_, i) => String(block.value(i)))
  }

  committed(topic: string): number {
    return this.#committed.get(topic) ?? -1
  }

  endOf(topic: string): number {
    const last = this.#topics.get(topic)!.at(-1)
    return last === undefined ? 0 : last.base + last.count
  }

  async #call(kind: Kind, args: Loose): Promise<unknown> {
    await undefined
    const fault = this.#next(kind)
    return this.#answer(kind, args, fault?.code ?? 0, fault === undefined || fault.isDone)
  }

  #next(kind: Kind): Fault | undefined {
    this.asked.set(kind, (this.asked.get(kind) ?? 0) + 1)
    const fault = this.#faults.get(kind)
    if (fault === undefined || fault.left === 0) return undefined
    fault.left--
    return fault
  }

  #answer(kind: string, args: Loose, errorCode: number, isDone: boolean): Loose {
    const ofPartitions = (given: Loose, of: (topic: string, asked: Loose) => object) =>
      given.topics.map(({ topic, partitions }: Loose) => ({
        topic,
        partitions: partitions.map((asked: Loose) => ({ partition: asked.partition, errorCode, ...of(topic, asked) })),
      }))
    const coordinator = { nodeId: 1, host: 'scripted', port: 1 }
    switch (kind) {
      case 'Metadata':
        return {
          brokers: [coordinator],
          controllerId: 1,
          topicMetadata: args.topics
            .filter((topic: string) => this.#topics.has(topic))
            .map((topic: string) => ({
              topic,
              topicErrorCode: errorCode,
              partitionMetadata:
                errorCode === 0 ? [{ partitionErrorCode: 0, partitionId: 0, leader: 1, replicas: [1], isr: [1] }] : [],
            })),
        }
      case 'DescribeConfigs':
        return {
          resources: args.resources.map(({ name }: Loose) => ({
            errorCode,
            resourceName: name,
            configEntries: errorCode === 0 ? configsOf(name) : [],
          })),
        }
      case 'InitProducerId':
        return { errorCode, producerId: String(++this.#producers), producerEpoch: 0 }
      case 'GroupCoordinator':
        return { errorCode, coordinator }
      case 'JoinGroup': {
        if (errorCode !== 0) return { errorCode, members: [] }
        const [{ name, metadata }] = args.groupProtocols
        const members = [{ memberId: 'only', memberMetadata: metadata }]
        const named = { groupProtocol: name, leaderId: 'only', memberId: 'only', members }
        return { errorCode, generationId: ++this.#generation, ...named }
      }
      case 'SyncGroup':
        if (isDone) this.#share = args.groupAssignment[0]?.memberAssignment ?? this.#share
        return { errorCode, memberAssignment: errorCode === 0 ? this.#share : Buffer.alloc(0) }
      case 'OffsetFetch': {
        const offset = (topic: string) => ({ offset: String(this.committed(topic)) })
        return { errorCode: 0, responses: ofPartitions(args, offset) }
      }
      case 'ListOffsets':
        return {
          responses: ofPartitions(args, (topic, { timestamp }) => ({
            offset: timestamp === -2 ? '0' : String(this.endOf(topic)),
          })),
        }
      case 'OffsetCommit': {
        const commit = (topic: string, { offset }: Loose) => {
          if (isDone) this.#committed.set(topic, Number(offset))
          return {}
        }
        return { responses: ofPartitions(args, commit) }
      }
      default:
        return { errorCode }
    }
  }

  async #send(protocol: Protocol<unknown>): Promise<unknown> {
    const { encode, apiName } = protocol.request as Protocol<unknown>['request'] & { encode(): Promise<WirePayload> }
    const { chunks } = await encode()
    const fault = this.#next(apiName as Kind)
    if (apiName === 'Produce') return this.#produced(chunks, fault)
    return this.#fetched(Buffer.concat(chunks), fault)
  }

  #produced(chunks: readonly Buffer[], fault: Fault | undefined): object {
    const partitions = []
    let topic = ''
    // Every second chunk is a batch; the one in front of it ends with partition and length, behind a topic where that is new.
    for (let i = 0; i + 1 < chunks.length; i += 2) {
      const [head, bytes] = [chunks[i]!, Buffer.from(chunks[i + 1]!)]
      topic = [...this.#topics.keys()].find(name => head.includes(framed(name))) ?? topic
      const count = bytes.readInt32BE(BATCH.count)
      const isDone = fault === undefined || fault.isDone
      const baseOffset = isDone ? this.append({ topic, bytes, count }) : -1
      partitions.push({ topic, partition: 0, errorCode: fault?.code ?? 0, baseOffset: fault ? -1 : baseOffset })
    }
    return { partitions, clientSideThrottleTime: 0 }
  }

  async #fetched(request: Buffer, fault: Fault | undefined): Promise<object> {
    // Behind replica, three limits, isolation and session.
    const reader = new AnswerReader(request.subarray(25))
    const asked = reader.array(() => {
      const topic = reader.string()
      return reader.array(() => {
        reader.int32()
        reader.int32()
        const offset = reader.int64()
        reader.int64()
        reader.int32()
        return { topic, offset }
      })
    })
    const isBehind = asked.flat().some(({ topic, offset }) => this.endOf(topic) > offset)
    // A long poll.
    if (!isBehind && fault === undefined) await sleep(this.#clock, Math.max(1, request.readInt32BE(4)))
    const partitions = asked.flat().map(({ topic, offset }) => {
      const batches = this.#topics.get(topic)!.filter(({ base, count }) => base + count > offset)
      const end = this.endOf(topic)
      return {
        ...{ topic, partition: 0, errorCode: fault?.code ?? 0 },
        ...{ highWatermark: end, lastStableOffset: end, logStartOffset: 0, abortedTransactions: [] },
        records: fault ? Buffer.alloc(0) : Buffer.concat(batches.map(({ bytes }) => bytes)),
      }
    })
    return { errorCode: 0, partitions, clientSideThrottleTime: 0 }
  }
}

/** A name as it stands in a request: with its length in front. */
function framed(name: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeInt16BE(name.length)
  return Buffer.concat([length, Buffer.from(name)])
}

/** As `topics apply` sets them for what belongs to the application. */
function configsOf(topic: string): object[] {
  const isOurs = /failed-|replay/.test(topic)
  return Object.entries({
    'cleanup.policy': 'delete',
    'max.message.bytes': isOurs ? '1200000' : '1048588',
    'message.timestamp.type': isOurs ? 'LogAppendTime' : 'CreateTime',
    'min.insync.replicas': '1',
  }).map(([configName, configValue]) => ({ configName, configValue, configSource: 1 }))
}
