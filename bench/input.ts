/** Topics for benchmarks: created, filled, emptied. */
import type { KafkaPort } from '../src/kafka/port.ts'
import { RecordBatchBuilder, type SealedBatch } from '../src/kafka/record-batch-builder.ts'
import { applyPlan, planTopics, topicNames } from '../src/kafka/topics.ts'
import type { Topology } from '../src/topology.ts'
import { generator } from './make-mlp.ts'
import { benchRecord } from './variants/bench-record.ts'

/** Partitions of a topic, and how often each record is kept. */
export interface TopicShape {
  readonly partitions: number
  readonly replicationFactor: number
}

export const PLAIN_SHAPE: TopicShape = { partitions: 4, replicationFactor: 1 }
const MAX_BATCH_BYTES = 900_000
const BATCHES_PER_SEND = 8

export async function createTopic(port: KafkaPort, name: string, shape = PLAIN_SHAPE): Promise<void> {
  await port.admin.createTopics([{ name, ...shape, configs: {} }])
}

/** Creates what the topology needs beside its source; where records are kept three times, two must be in sync. */
export async function createTopicsOf(port: KafkaPort, topology: Topology, shape = PLAIN_SHAPE): Promise<void> {
  const existing = await port.admin.describeTopics(topicNames(topology))
  const { replicationFactor } = shape
  const plan = planTopics(topology, existing, {
    ...shape,
    minIsr: replicationFactor === 3 ? 2 : 1,
    brokerCount: replicationFactor,
  })
  await applyPlan(plan, port.admin)
}

/** How many records a topic was ever given. */
export async function recordsIn(port: KafkaPort, topic: string): Promise<number> {
  return (await port.admin.offsets(topic)).reduce((sum, { end }) => sum + end, 0)
}

/** Gives record i its key and value; ranges may point into buffers that are reused after the call. */
export type FillRecord = (record: ReturnType<typeof benchRecord>, i: number) => void

/** Writes records 0 to `records`, round robin over the partitions. */
export async function preload(
  port: KafkaPort,
  topic: string,
  records: number,
  fill: FillRecord,
  { partitions } = PLAIN_SHAPE,
): Promise<void> {
  const writer = port.writer()
  const builders = Array.from({ length: partitions }, (_, i) => new RecordBatchBuilder(topic, i, MAX_BATCH_BYTES))
  const record = benchRecord()
  let sealed: SealedBatch[] = []
  const flush = async () => {
    const results = await writer.send(sealed)
    const refused = results.find(result => result.outcome !== 'acknowledged')
    if (refused) throw new Error(`${topic}: a batch was not written: ${refused.reason}`)
    sealed = []
  }
  for (let i = 0; i < records; i++) {
    record.timestamp = Date.now()
    fill(record, i)
    const builder = builders[i % partitions]!
    if (builder.append(record)) continue
    sealed.push(builder.seal())
    builder.append(record)
    if (sealed.length >= BATCHES_PER_SEND) await flush()
  }
  for (const builder of builders) if (builder.count > 0) sealed.push(builder.seal())
  await flush()
  await writer.close()
}

/** Rows of numbers in [0, 1), windows of a million of them, each under a key of eight bytes that holds its number. */
export function tensorRows(width: number): FillRecord {
  const random = generator(7)
  const pool = Float32Array.from({ length: 1 << 20 }, random)
  const values = Buffer.from(pool.buffer)
  const key = Buffer.alloc(8)
  const starts = pool.length - width
  return (record, i) => {
    key.writeDoubleBE(i)
    record.key = key
    record.keyEnd = 8
    record.value = values
    record.valueStart = ((i * 61) % starts) * 4
    record.valueEnd = record.valueStart + width * 4
  }
}
