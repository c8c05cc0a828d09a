/**
 * Limit (a), our port alone: reads the same input as the pipeline and writes records of the size of its outputs (same
 * key, as many value bytes, a header as long as `kri-source`), without a model and without anything else of the pipeline.
 */
import type { CommitRequest } from '../../src/kafka/port.ts'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { connect, memberOptions } from '../connect.ts'
import { benchRecord } from './bench-record.ts'
import { receiveOrder, reportResult } from './child.ts'
import { timedPort } from './timed-port.ts'

export interface CopyOrder {
  readonly brokers: readonly string[]
  readonly groupId: string
  readonly in: string
  readonly out: string
  readonly records: number
  readonly valueBytes: number
  /** Name and value of the one header; undefined: none. */
  readonly header?: readonly [name: string, value: string]
}

const COMMIT_INTERVAL_MS = 100
const BLOCKS_IN_FLIGHT = 2

const order = await receiveOrder<CopyOrder>()
const { port, finished } = timedPort(connect(order.brokers, 'bench-copy'), order.in, order.records)
const writer = port.writer()
const { partitions, maxMessageBytes } = await writer.topic(order.out)
const builders = Array.from(
  { length: partitions },
  (_, partition) => new RecordBatchBuilder(order.out, partition, Math.min(900_000, maxMessageBytes - 1024)),
)
const inFlight = new Array<number>(partitions).fill(0)
const committable = new Map<number, CommitRequest>()
const record = benchRecord(order.header)

function copy(block: RecordBlock) {
  const builder = builders[block.partition]!
  const batches = []
  record.key = block.bytes
  record.value = block.bytes
  for (let i = 0; i < block.count; i++) {
    record.timestamp = block.timestamp(i)
    record.keyStart = block.keyStart(i)
    record.keyEnd = block.keyEnd(i)
    record.valueStart = block.valueStart(i)
    record.valueEnd = record.valueStart + order.valueBytes
    if (builder.append(record)) continue
    batches.push(builder.seal())
    builder.append(record)
  }
  batches.push(builder.seal())
  return batches
}

const member = port.member(memberOptions(order.groupId, order.in), {
  onAssigned() {},
  onLost() {},
  onRebalance: async () => {},
  onState() {},
  onFatal: fail,
  onBlock(block, epoch) {
    if (++inFlight[block.partition]! === BLOCKS_IN_FLIGHT) member.pause(block)
    writer.send(copy(block)).then(() => {
      if (inFlight[block.partition]!-- === BLOCKS_IN_FLIGHT) member.resume(block)
      const { topic, partition, nextOffset: offset } = block
      committable.set(partition, { topic, partition, epoch, offset })
    }, fail)
  },
})
await member.start()
const commits = setInterval(() => {
  const requests = [...committable.values()]
  committable.clear()
  if (requests.length > 0) member.commit(requests).catch(fail)
}, COMMIT_INTERVAL_MS)
const result = await finished
clearInterval(commits)
await member.stop()
await writer.close()
await port.close()
reportResult(result)

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}
