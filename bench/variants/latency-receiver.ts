/** Reads the outputs as any consumer would, and notes how long after its intended send each came. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { connect, memberOptions } from '../connect.ts'
import { receiveOrder, reportReady, reportResult } from './child.ts'
import { machineNow, type Pace, quantile, recordsOf, warmUpRecordsOf } from './pace.ts'

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
const port = connect(order.brokers, 'bench-receiver')
const records = recordsOf(order)
const passedMs = new Float64Array(records).fill(Number.NaN)
const complete = Promise.withResolvers<void>()
let received = 0

function note(block: RecordBlock): void {
  const now = machineNow()
  for (let i = 0; i < block.count; i++) {
    const start = block.keyStart(i)
    const intended = block.bytes.readDoubleBE(start)
    const number = block.bytes.readDoubleBE(start + 8)
    // What comes twice counts from its first time; the count at the end tells.
    if (Number.isNaN(passedMs[number])) passedMs[number] = now - intended
    received++
  }
  if (received >= records) complete.resolve()
}

const member = port.member(memberOptions('bench-receiver', order.topic), {
  onAssigned() {},
  onLost() {},
  onRebalance: async () => {},
  onState() {},
  onFatal: error => complete.reject(error),
  onBlock: note,
})
await member.start()
reportReady()
const deadlineMs = (order.warmUpSeconds + order.seconds + 30) * 1000
await Promise.race([complete.promise, delay(deadlineMs, undefined, { ref: false })])
await member.stop()
await port.close()
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
