/**
 * What the brokers can do at most: as many transactional ids as partitions, each writing one transaction behind the other, a record
 * and an offset in each, and nothing else on the machine but the broker.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { connect } from '../connect.ts'
import { benchRecord } from './bench-record.ts'
import { receiveOrder, reportResult } from './child.ts'
import { machineNow, quantile } from './pace.ts'

export interface TransactionLoopOrder {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface TransactionLoop {
  readonly transactionsPerSecond: number
  /** From the first request of a transaction to its end. */
  readonly p50Ms: number
  readonly p99Ms: number
}

const TIMEOUT_MS = 15_000

const { brokers, topic, partitions, warmUpSeconds, seconds } = await receiveOrder<TransactionLoopOrder>()
const port = connect(brokers, 'bench-transactions')
const writers = Array.from({ length: partitions }, (_, partition) =>
  port.transactionalWriter({ transactionalId: `${topic}-${partition}`, timeoutMs: TIMEOUT_MS }),
)
await Promise.all(writers.map(writer => writer.fence()))
const tookMs: number[] = []
let isMeasured = false
let isOver = false

async function loop(partition: number): Promise<void> {
  const writer = writers[partition]!
  const builder = new RecordBatchBuilder(topic, partition, 900_000)
  const record = benchRecord()
  record.value = Buffer.alloc(100)
  record.valueEnd = record.value.length
  for (let offset = 1; !isOver; offset++) {
    const begunAt = machineNow()
    record.timestamp = Date.now()
    builder.append(record)
    await Promise.all([
      writer.send([builder.seal()]),
      writer.sendOffsets(`${topic}-group`, [{ topic, partition, offset }]),
    ])
    await writer.commit()
    if (isMeasured) tookMs.push(machineNow() - begunAt)
  }
}

const loops = writers.map((_, partition) => loop(partition))
await delay(warmUpSeconds * 1_000)
isMeasured = true
await delay(seconds * 1_000)
isOver = true
await Promise.all(loops)
await Promise.all(writers.map(writer => writer.close()))
await port.close()
const sorted = Float64Array.from(tookMs).sort()
reportResult({
  transactionsPerSecond: tookMs.length / seconds,
  p50Ms: quantile(sorted, 0.5),
  p99Ms: quantile(sorted, 0.99),
} satisfies TransactionLoop)
