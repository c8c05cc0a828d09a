/**
 * Limit (d), what somebody would write by hand on our port: rows into batches, one lane, rows out. It keeps neither keys
 * nor headers, promises no order, has no dead letters, no metrics, no outages, no rebalances. With `sameRecords` it writes key and
 * header too, which tells what the engine costs from what the larger records cost.
 */
import type { CommitRequest } from '../../src/kafka/port.ts'
import { RangeCopier, viewOf } from '../../src/kafka/range-copier.ts'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { float32 } from '../../src/kafka/tensor-codec.ts'
import { modelSpecOf } from '../../src/models/model-handler.ts'
import { onnx } from '../../src/models/onnx-handler.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { benchLogger, connect, memberOptions } from '../connect.ts'
import { benchRecord } from './bench-record.ts'
import { receiveOrder, reportResult } from './child.ts'
import { timedPort } from './timed-port.ts'

export interface LoopOrder {
  readonly brokers: readonly string[]
  readonly groupId: string
  readonly in: string
  readonly out: string
  readonly records: number
  readonly model: string
  readonly width: number
  readonly batch: number
  /** Write what the pipeline writes: the source's key, and this header. */
  readonly sameRecords?: { readonly header?: readonly [name: string, value: string] }
}

const order = await receiveOrder<LoopOrder>()
const { width, batch } = order
const { port, finished } = timedPort(connect(order.brokers, 'bench-loop'), order.in, order.records)
const executor = createThreadExecutor(
  { lanes: 1, maxBatchRows: batch },
  { logger: benchLogger, clock: systemClock, random: Math.random },
)
const model = await executor.lanes[0]!.load(
  modelSpecOf(onnx({ model: order.model, input: float32(width), output: float32(null) }).definition.cohorts[0].model),
)
const writer = port.writer()
const { partitions } = await writer.topic(order.out)
const builders = Array.from({ length: partitions }, (_, i) => new RecordBatchBuilder(order.out, i, 900_000))
const record = benchRecord(order.sameRecords?.header)
const copier = new RangeCopier()
const waiting: { block: RecordBlock; epoch: number }[] = []
const blocksOf = new Array<number>(partitions).fill(0)
const committable = new Map<number, CommitRequest>()
const running: Promise<void>[] = []
let busy = false

async function work(): Promise<void> {
  busy = true
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { block, epoch } = next
    for (let from = 0; from < block.count; from += batch) {
      const rows = Math.min(batch, block.count - from)
      let slot = model.acquire()
      for (; slot === undefined; slot = model.acquire()) await running.shift()
      const place = slot
      const [x] = place.prepare(rows, [[width]]) as [Float32Array]
      const into = Buffer.from(x.buffer, x.byteOffset, x.byteLength)
      const view = viewOf(into)
      for (let i = 0, at = 0; i < rows; i++)
        at = copier.copy(block.bytes, block.valueStart(from + i), block.valueEnd(from + i), into, view, at)
      const batchRun = place.run(0, rows).then(({ outputs }) => {
        append(block, from, rows, outputs[0]!.data as Float32Array)
        place.release()
        if (from + rows === block.count) send(block, epoch)
      })
      running.push(batchRun)
    }
  }
  busy = false
}

function append(block: RecordBlock, from: number, rows: number, outputs: Float32Array): void {
  const rowBytes = outputs.byteLength / rows
  record.value = Buffer.from(outputs.buffer, outputs.byteOffset, outputs.byteLength)
  if (order.sameRecords) record.key = block.bytes
  for (let i = 0; i < rows; i++) {
    record.keyStart = block.keyStart(from + i)
    record.keyEnd = block.keyEnd(from + i)
    record.timestamp = block.timestamp(from + i)
    record.valueStart = i * rowBytes
    record.valueEnd = record.valueStart + rowBytes
    builders[block.partition]!.append(record) // One block's outputs fit in one batch.
  }
}

function send(block: RecordBlock, epoch: number): void {
  writer.send([builders[block.partition]!.seal()]).then(() => {
    if (blocksOf[block.partition]!-- === 2) member.resume(block)
    const { topic, partition, nextOffset: offset } = block
    committable.set(partition, { topic, partition, epoch, offset })
  }, fail)
}

const member = port.member(memberOptions(order.groupId, order.in), {
  onAssigned() {},
  onLost() {},
  onRebalance: async () => {},
  onState() {},
  onFatal: fail,
  onBlock(block, epoch) {
    if (++blocksOf[block.partition]! === 2) member.pause(block)
    waiting.push({ block, epoch })
    if (!busy) work().catch(fail)
  },
})
await member.start()
const commits = setInterval(() => {
  const requests = [...committable.values()]
  committable.clear()
  if (requests.length > 0) member.commit(requests).catch(fail)
}, 100)
const result = await finished
clearInterval(commits)
await member.stop()
await writer.close()
await executor.close()
await port.close()
reportResult(result)

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}
