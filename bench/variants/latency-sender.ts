/**
 * Sends records at fixed times, as a producer without linger does: each at once, and together with others only where one
 * before it is still on its way to the same partition. A record's key is the time at which it was meant to be sent, and
 * its number. When the parent says stop, it sends no more.
 */
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { connect } from '../connect.ts'
import { digitRows } from '../digit-models.ts'
import { type FillRecord, tensorRows } from '../input.ts'
import { SMALL_MLP } from '../make-mlp.ts'
import { benchRecord } from './bench-record.ts'
import { receiveOrder, reportResult, untilStopped } from './child.ts'
import { machineNow, type Pace, quantile, recordsOf, warmUpRecordsOf } from './pace.ts'

export interface SenderOrder extends Pace {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  /** Record i is digit i of data/digits-test.ndjson, over and over; default: rows made by a generator. */
  readonly digits?: boolean
}

export interface Sent {
  readonly records: number
  /** How late the sender itself was. */
  readonly lateP99Ms: number
}

const order = await receiveOrder<SenderOrder>()
const port = connect(order.brokers, 'bench-sender')
const writer = port.writer()
await writer.topic(order.topic)
const { partitions } = order
let records = recordsOf(order)
const late = new Float64Array(records)
const builders = Array.from({ length: partitions }, (_, i) => new RecordBatchBuilder(order.topic, i, 900_000))
const record = benchRecord()
const fill = order.digits ? digitRecords() : tensorRows(SMALL_MLP[0])
const key = Buffer.alloc(16)
const onTheWay = new Array<boolean>(partitions).fill(false)
const startAt = machineNow() + 500
const allSent = Promise.withResolvers<void>()
let next = 0
let acknowledged = 0

function sendDue(): void {
  for (; next < records; next++) {
    const intended = startAt + (next * 1000) / order.recordsPerSecond
    const now = machineNow()
    if (intended > now) {
      setTimeout(sendDue, Math.floor(intended - now))
      return
    }
    late[next] = now - intended
    append(intended)
  }
}

function append(intended: number): void {
  fill(record, next)
  key.writeDoubleBE(intended)
  key.writeDoubleBE(next, 8)
  record.key = key
  record.keyEnd = key.length
  record.timestamp = Date.now()
  const partition = next % partitions
  builders[partition]!.append(record)
  flush(partition)
}

function flush(partition: number): void {
  const builder = builders[partition]!
  if (onTheWay[partition] || builder.count === 0) return
  onTheWay[partition] = true
  const batch = builder.seal()
  writer.send([batch]).then(() => {
    onTheWay[partition] = false
    acknowledged += batch.count
    if (acknowledged === records) allSent.resolve()
    flush(partition)
  }, fail)
}

untilStopped().then(() => {
  records = next
  if (acknowledged === records) allSent.resolve()
}, fail)
sendDue()
await allSent.promise
await writer.close()
await port.close()
const measured = late.subarray(warmUpRecordsOf(order), records).toSorted()
reportResult({ records, lateP99Ms: quantile(measured, 0.99) } satisfies Sent)

function digitRecords(): FillRecord {
  const bytes = Buffer.from(digitRows().buffer)
  const rowBytes = 64 * 4
  const count = bytes.length / rowBytes
  return (record, i) => {
    record.value = bytes
    record.valueStart = (i % count) * rowBytes
    record.valueEnd = record.valueStart + rowBytes
  }
}

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}
