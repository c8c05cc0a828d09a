/**
 * Limit (b), kafkajs as it is: the work of port-copy.ts with its own Consumer and Producer, in a process that nothing has
 * patched. Set as well as it can be: four partitions at a time, 1 MiB per partition and fetch, explicit partitions (no
 * hashing of keys), no compression, acks of all replicas, commits every 100 ms. A send takes `CHUNK` messages: kafkajs
 * copies the list of a partition once per message, so larger ones are slower, and smaller ones cost more requests.
 */
import kafkajs, { type Batch, type Message } from 'kafkajs'
import { receiveOrder, reportResult } from './child.ts'
import type { CopyOrder } from './port-copy.ts'
import { startWatch } from './timed-port.ts'

const CHUNK = Number(process.env.KRI_BENCH_KAFKAJS_CHUNK ?? 500)
const COMMIT_INTERVAL_MS = 100

const order = await receiveOrder<CopyOrder>()
const watch = startWatch(order.records)
const kafka = new kafkajs.Kafka({
  clientId: 'bench-kafkajs',
  brokers: [...order.brokers],
  logLevel: kafkajs.logLevel.ERROR,
})
const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, idempotent: false })
const consumer = kafka.consumer({
  groupId: order.groupId,
  maxBytesPerPartition: 1024 * 1024,
  maxBytes: 4 * 1024 * 1024,
  maxWaitTimeInMs: 500,
  sessionTimeout: 45_000,
  rebalanceTimeout: 60_000,
})
const headers = order.header && { [order.header[0]]: Buffer.from(order.header[1]) }
const committable = new Map<number, string>()

async function copy({ topic, partition, messages }: Batch): Promise<void> {
  if (topic !== order.in) return
  const sends = []
  for (let from = 0; from < messages.length; from += CHUNK) {
    const copies: Message[] = messages.slice(from, from + CHUNK).map(({ key, value, timestamp }) => ({
      key,
      value: value!.subarray(0, order.valueBytes),
      partition,
      timestamp,
      ...(headers ? { headers } : {}),
    }))
    sends.push(producer.send({ topic: order.out, acks: -1, messages: copies }))
  }
  await Promise.all(sends)
  committable.set(partition, String(Number(messages.at(-1)!.offset) + 1))
}

await producer.connect()
await consumer.connect()
await consumer.subscribe({ topics: [order.in], fromBeginning: true })
consumer.on('consumer.group_join', () => watch.begin())
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch }) => copy(batch).catch(fail),
})
const commits = setInterval(() => {
  const offsets = [...committable].map(([partition, offset]) => ({ topic: order.in, partition, offset }))
  committable.clear()
  if (offsets.length === 0) return
  consumer.commitOffsets(offsets).then(() => {
    for (const { partition, offset } of offsets) watch.committed(partition, Number(offset))
  }, fail)
}, COMMIT_INTERVAL_MS)
const result = await watch.finished
clearInterval(commits)
await consumer.disconnect()
await producer.disconnect()
reportResult(result)

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}
