/** Reads the outputs as any consumer would, and notes how long after its intended send each came. */
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { receiveOrder, reportResult } from './child.ts'
import { machineNow, type Pace, quantile, recordsOf, warmUpRecordsOf } from './pace.ts'
import { readOutputs } from './read-outputs.ts'

export interface ReceiverOrder extends Pace {
  readonly brokers: readonly string[]
  readonly topic: string
}

export interface Received {
  readonly records: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

const order = await receiveOrder<ReceiverOrder>()
const records = recordsOf(order)
const passedMs = new Float64Array(records).fill(Number.NaN)
let received = 0

function note(block: RecordBlock): boolean {
  const now = machineNow()
  for (let i = 0; i < block.count; i++) {
    const start = block.keyStart(i)
    const intended = block.bytes.readDoubleBE(start)
    const number = block.bytes.readDoubleBE(start + 8)
    // What comes twice counts from its first time; the count at the end tells.
    if (Number.isNaN(passedMs[number])) passedMs[number] = now - intended
    received++
  }
  return received >= records
}

await readOutputs({ ...order, deadlineMs: (order.warmUpSeconds + order.seconds + 30) * 1000 }, note)
const measured = passedMs
  .subarray(warmUpRecordsOf(order))
  .filter(each => !Number.isNaN(each))
  .sort()
reportResult({
  records: received,
  p50Ms: quantile(measured, 0.5),
  p99Ms: quantile(measured, 0.99),
  p999Ms: quantile(measured, 0.999),
  maxMs: measured.at(-1) ?? Number.NaN,
} satisfies Received)
