/** Records per second through the record-batch builder and reader: `node --conditions=kri-source bench/wire.bench.ts`. */
import { Bench } from 'tinybench'
import { crc32cImplementation } from '../src/kafka/crc32c.ts'
import { RecordBatchBuilder, type RecordRanges, type SealedBatch } from '../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../src/kafka/record-batch-reader.ts'
import { stampProducer } from '../src/kafka/record-batch-stamp.ts'
import { encodeHeaders } from '../src/kafka/record-headers.ts'

const RECORDS = 10_000
const MAX_BATCH_BYTES = 900_000

const own = encodeHeaders([['kri-source', Buffer.from('raw.in/3/123456789')]])
const builder = new RecordBatchBuilder('bench', 0, MAX_BATCH_BYTES)
const bench = new Bench({ time: 1000, warmupTime: 300 })

for (const valueBytes of [40, 256]) {
  for (const withHeader of [false, true]) {
    const source = randomBytes(1 << 20)
    const batches = build(source, valueBytes, withHeader)
    const response = Buffer.concat(batches.map(batch => batch.bytes))
    const name = `${valueBytes} B${withHeader ? ' + header' : ''}`
    bench.add(`build ${name}`, () => void build(source, valueBytes, withHeader))
    bench.add(`read ${name}`, () => void read(response, true))
    bench.add(`read without CRC ${name}`, () => void read(response, false))
  }
}

await bench.run()
console.log(`CRC-32C: ${crc32cImplementation}`)
console.table(
  bench.tasks.map(task => {
    const medianMs = task.result.state === 'completed' ? task.result.latency.p50 : Number.NaN
    return {
      task: task.name,
      'ns per record': Math.round((medianMs * 1e6) / RECORDS),
      'records/s': Math.round((RECORDS / medianMs) * 1000),
    }
  }),
)

function build(source: Buffer, valueBytes: number, withHeader: boolean): SealedBatch[] {
  const sealed: SealedBatch[] = []
  const record: RecordRanges = {
    timestamp: 0,
    key: source,
    keyStart: 0,
    keyEnd: 0,
    value: source,
    valueStart: 0,
    valueEnd: 0,
    headers: null,
    headersStart: 0,
    headersEnd: 0,
    headerCount: 0,
    ownHeaders: withHeader ? own : null,
    ownHeadersStart: 0,
    ownHeadersEnd: own.length,
    ownHeaderCount: withHeader ? 1 : 0,
  }
  for (let i = 0; i < RECORDS; i++) {
    const at = (i * 61) % ((1 << 20) - 4096)
    record.timestamp = 1_790_000_000_000 + i
    record.keyStart = at
    record.keyEnd = at + 8
    record.valueStart = at + 8
    record.valueEnd = at + 8 + valueBytes
    if (builder.append(record)) continue
    sealed.push(seal())
    builder.append(record)
  }
  sealed.push(seal())
  return sealed
}

function seal(): SealedBatch {
  const batch = builder.seal()
  stampProducer(batch.bytes, 1234, 0, 0)
  return batch
}

function read(records: Buffer, checkCrc: boolean): number {
  return readRecordBlock({ topic: 'bench', partition: 0, records, startOffset: 0, endOffset: 0, checkCrc }).count
}

function randomBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 2_654_435_761) >>> 13
  return bytes
}
