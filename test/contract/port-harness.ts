import assert from 'node:assert/strict'
import type {
  KafkaPort,
  KafkaWriter,
  MemberEvents,
  MemberOptions,
  OwnedPartition,
  SourceSubscription,
  TransactionalWriter,
} from '../../src/kafka/port.ts'
import { RecordBatchBuilder, type SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'

/** What differs between the brokers that the contract suite runs on. */
export interface PortFeatures {
  readonly name: string
  /** A new client; the suite closes it. */
  connect(): Promise<KafkaPort> | KafkaPort
  /** Begins the names of topics and groups, so that suites can share a broker. */
  readonly prefix: string
  /** Waits for a condition; on a manual clock, by letting its time pass. */
  eventually(what: string, condition: () => boolean | Promise<boolean>, deadlineMs?: number): Promise<void>
  /** The broker's time of day. */
  wallTime(): number
  /** How soon a rebalance must be noticed and over. */
  readonly heartbeatIntervalMs: number
  /** Adds partitions to a topic, where that is possible from outside the port. */
  addPartitions?(topic: string, count: number): Promise<void>
}

export interface PlainRecord {
  readonly key?: string | Buffer | null
  readonly value?: string | Buffer | null
  readonly headers?: readonly Header[]
  readonly timestamp?: number
}

const bytesOf = (part: string | Buffer | null | undefined) =>
  typeof part === 'string' ? Buffer.from(part) : (part ?? null)

/** One sealed batch of these records. */
export function batchOf(
  topic: string,
  partition: number,
  records: readonly PlainRecord[],
  timestamp: number,
): SealedBatch {
  const builder = new RecordBatchBuilder(topic, partition, 2 ** 30)
  for (const record of records) {
    const key = bytesOf(record.key)
    const value = bytesOf(record.value)
    const headers = record.headers ?? []
    const bytes = headers.length > 0 ? encodeHeaders(headers) : null
    const appended = builder.append({
      timestamp: record.timestamp ?? timestamp,
      key,
      keyStart: 0,
      keyEnd: key?.length ?? 0,
      value,
      valueStart: 0,
      valueEnd: value?.length ?? 0,
      headers: bytes,
      headersStart: 0,
      headersEnd: bytes?.length ?? 0,
      headerCount: headers.length,
      ownHeaders: null,
      ownHeadersStart: 0,
      ownHeadersEnd: 0,
      ownHeaderCount: 0,
    })
    assert.ok(appended)
  }
  return builder.seal()
}

export interface ReadRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** The records of a block as objects. */
export function recordsOf(block: RecordBlock): ReadRecord[] {
  return Array.from({ length: block.count }, (_, i) => ({
    topic: block.topic,
    partition: block.partition,
    offset: block.offset(i),
    timestamp: block.timestamp(i),
    key: block.key(i),
    value: block.value(i),
    headers: block.headers(i),
  }))
}

/** Helpers over one client of the broker. */
export class Harness {
  readonly features: PortFeatures
  readonly port: KafkaPort
  readonly writer: KafkaWriter
  readonly #members: TestMember[] = []
  readonly #transactional: TransactionalWriter[] = []
  #names = 0

  private constructor(features: PortFeatures, port: KafkaPort) {
    this.features = features
    this.port = port
    this.writer = port.writer()
  }

  /** Connects, and closes everything when the test is over. */
  static async open(features: PortFeatures, t: { after(run: () => Promise<void>): void }): Promise<Harness> {
    const harness = new Harness(features, await features.connect())
    t.after(() => harness.#close())
    return harness
  }

  async #close(): Promise<void> {
    for (const member of this.#members) await member.member.stop()
    for (const writer of this.#transactional) await writer.close()
    await this.writer.close()
    await this.port.close()
  }

  name(what: string): string {
    return `${this.features.prefix}-${what}-${++this.#names}-${Math.floor(Math.random() * 2 ** 32).toString(36)}`
  }

  async topic(what: string, partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const name = this.name(what)
    await this.port.admin.createTopics([{ name, partitions, replicationFactor: 1, configs }])
    return name
  }

  /** Writes one batch; returns the offset of its first record. */
  async write(topic: string, partition: number, records: readonly PlainRecord[]): Promise<number> {
    const [result] = await this.writer.send([batchOf(topic, partition, records, this.features.wallTime())])
    assert.equal(result?.outcome, 'acknowledged')
    return result!.outcome === 'acknowledged' ? result!.baseOffset : -1
  }

  /** Writes numbered values, `count` in one batch. */
  writeNumbered(topic: string, partition: number, from: number, count: number): Promise<number> {
    return this.write(
      topic,
      partition,
      Array.from({ length: count }, (_, i) => ({ value: `${partition}:${from + i}` })),
    )
  }

  async scan(topic: string, partition: number, from: number | 'earliest' = 'earliest', to: number | 'end' = 'end') {
    const records: ReadRecord[] = []
    for await (const block of this.port.scan([{ topic, partition, from, to }])) records.push(...recordsOf(block))
    return records
  }

  /** A writer of transactions, not fenced yet. */
  transactional(transactionalId: string, timeoutMs = 20_000): TransactionalWriter {
    const writer = this.port.transactionalWriter({ transactionalId, timeoutMs })
    this.#transactional.push(writer)
    return writer
  }

  /** A batch of numbered values. */
  numbered(topic: string, partition: number, from: number, count: number): SealedBatch {
    const records = Array.from({ length: count }, (_, i) => ({ value: `${partition}:${from + i}` }))
    return batchOf(topic, partition, records, this.features.wallTime())
  }

  member(
    groupId: string,
    sources: readonly SourceSubscription[],
    options: Partial<MemberOptions> = {},
    beforeAssigned?: MemberEvents['beforeAssigned'],
  ): TestMember {
    const all = {
      groupId,
      sources,
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: this.features.heartbeatIntervalMs,
      rebalanceTimeoutMs: 20_000,
      drainBudgetMs: 3_000,
      maxBytesPerPartition: 1024 * 1024,
      maxBytesPerFetch: 10 * 1024 * 1024,
      maxFetchWaitMs: 200,
      ...options,
    }
    const member = new TestMember(this.port, all, beforeAssigned)
    this.#members.push(member)
    return member
  }
}

/** A member that writes down what it is told, and checks what must hold for every event. */
export class TestMember {
  readonly member
  /** In order: `state:…`, `rebalance`, `before:topic/p,…`, `assigned:topic/p`, `lost:topic/p`, `fatal:CODE`. */
  readonly log: string[] = []
  readonly records: ReadRecord[] = []
  readonly blocks: { readonly block: RecordBlock; readonly epoch: number }[] = []
  readonly owned = new Map<string, OwnedPartition>()
  readonly #positions = new Map<number, number>()
  /** Set where a topic has records of aborted transactions, and markers. */
  mayHaveGaps = false
  /** What the test does in a drain. */
  drain: () => Promise<void> = async () => {}
  /** Called synchronously for each block, after the checks. */
  onBlock: (block: RecordBlock) => void = () => {}

  constructor(port: KafkaPort, options: MemberOptions, beforeAssigned?: MemberEvents['beforeAssigned']) {
    const before: MemberEvents['beforeAssigned'] = async partitions => {
      for (const each of partitions) assert.ok(!this.owned.has(keyOf(each)), `${keyOf(each)} is not owned yet`)
      this.log.push(`before:${partitions.map(keyOf).toSorted()}`)
      await beforeAssigned?.(partitions)
    }
    this.member = port.member(options, {
      ...(beforeAssigned ? { beforeAssigned: before } : {}),
      onAssigned: partitions => {
        for (const owned of partitions) {
          const key = keyOf(owned)
          assert.ok(!this.owned.has(key), `${key} is new when it is assigned`)
          assert.ok(!this.#positions.has(owned.epoch), `epoch ${owned.epoch} never was before`)
          this.owned.set(key, owned)
          this.#positions.set(owned.epoch, owned.position)
          this.log.push(`assigned:${key}`)
        }
      },
      onLost: partitions => {
        for (const lost of partitions) {
          assert.equal(this.owned.get(keyOf(lost))?.epoch, lost.epoch, 'the epoch that is lost is the one it had')
          this.owned.delete(keyOf(lost))
          this.log.push(`lost:${keyOf(lost)}`)
        }
      },
      onBlock: (block, epoch) => {
        assert.equal(this.owned.get(keyOf(block))?.epoch, epoch, 'a block comes under the epoch that is owned')
        const read = recordsOf(block)
        const position = this.#positions.get(epoch)!
        if (read.length > 0 && this.mayHaveGaps) assert.ok(read[0]!.offset >= position, 'blocks come in order')
        else if (read.length > 0) assert.equal(read[0]!.offset, position, 'blocks come without gaps')
        assert.ok(block.nextOffset >= position)
        this.#positions.set(epoch, block.nextOffset)
        this.records.push(...read)
        this.blocks.push({ block, epoch })
        this.onBlock(block)
      },
      onRebalance: async () => {
        this.log.push('rebalance')
        await this.drain()
      },
      onState: state => void this.log.push(`state:${state}`),
      onFatal: error => void this.log.push(`fatal:${error.code}`),
    })
  }

  /** Commits everything that was read of what it owns. */
  commitAll(): Promise<readonly boolean[]> {
    return this.member.commit(
      [...this.owned.values()].map(({ topic, partition, epoch }) => ({
        topic,
        partition,
        epoch,
        offset: this.#positions.get(epoch)!,
      })),
    )
  }

  get values(): string[] {
    return this.records.map(record => String(record.value))
  }
}

function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}

export const withCode = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error))
  return true
}
