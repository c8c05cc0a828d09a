import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { readRecordBatchHeader } from '../../src/kafka/record-batch-header.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { stampProducer } from '../../src/kafka/record-batch-stamp.ts'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'
import { plainRecord, ranges, recordsOf } from '../support/record-batches.ts'

function read(bytes: Buffer) {
  return readRecordBlock({ topic: 't', partition: 3, records: bytes, startOffset: 0, endOffset: 0, checkCrc: false })
}

test('byteSize is what sealing gives', () => {
  const builder = new RecordBatchBuilder('t', 3, 10_000)
  for (let i = 0; i < 50; i++) {
    builder.append(ranges(plainRecord('x'.repeat(i))))
    const announced = builder.byteSize
    if (i % 10 === 9) assert.equal(builder.seal().bytes.length, announced)
  }
})

test('a record that does not fit is left out, the batch stays as it was, and the next batch takes it', () => {
  const builder = new RecordBatchBuilder('t', 3, 200)
  const record = ranges(plainRecord('x'.repeat(60)))
  assert.equal(builder.append(record), true)
  assert.equal(builder.append(record), true)
  const before = builder.byteSize
  assert.equal(builder.append(record), false)
  assert.equal(builder.byteSize, before)
  assert.equal(builder.count, 2)
  const sealed = builder.seal()
  assert.deepEqual([sealed.topic, sealed.partition, sealed.count], ['t', 3, 2])
  assert.ok(sealed.bytes.length <= 200)
  assert.equal(builder.append(record), true)
  assert.equal(builder.count, 1)
})

test('a batch of exactly maxBytes is allowed, one byte more is not', () => {
  const one = new RecordBatchBuilder('t', 0, 1e6)
  one.append(ranges(plainRecord('x')))
  const two = new RecordBatchBuilder('t', 0, 1e6)
  two.append(ranges(plainRecord('x')))
  two.append(ranges(plainRecord('y')))
  for (const [maxBytes, fits] of [
    [two.byteSize, true],
    [two.byteSize - 1, false],
  ] as const) {
    const builder = new RecordBatchBuilder('t', 0, maxBytes)
    builder.append(ranges(plainRecord('x')))
    assert.equal(builder.append(ranges(plainRecord('y'))), fits)
  }
})

test('a first record always fits, however large', () => {
  const builder = new RecordBatchBuilder('t', 3, 100)
  const large = plainRecord('x'.repeat(1_000_000))
  assert.equal(builder.append(ranges(large)), true)
  assert.equal(builder.append(ranges(plainRecord(''))), false)
  assert.deepEqual(recordsOf(read(builder.seal().bytes))[0]?.value, large.value)
})

test('what was sealed is not touched by what is built afterwards', () => {
  const builder = new RecordBatchBuilder('t', 3, 5000)
  const sealed: { bytes: Buffer; copy: Buffer }[] = []
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < round * 7 + 1; i++) builder.append(ranges(plainRecord(`${round}`.repeat(round + 1))))
    const { bytes } = builder.seal()
    sealed.push({ bytes, copy: Buffer.from(bytes) })
  }
  for (const { bytes, copy } of sealed) assert.deepEqual(bytes, copy)
})

test('a sealed batch does not hold much more memory than its size', () => {
  const builder = new RecordBatchBuilder('t', 3, 1_000_000)
  for (let i = 0; i < 3; i++) {
    builder.append(ranges(plainRecord('x'.repeat(i === 0 ? 500_000 : 10))))
    const { bytes } = builder.seal()
    assert.ok(bytes.buffer.byteLength <= bytes.length * 1.3, `${bytes.buffer.byteLength} for ${bytes.length}`)
  }
})

test('the first timestamp is the base, deltas may be negative, and the highest is the maximum', () => {
  for (const timestamps of [[0], [0, 5], [5000, 0, 9000, 4999], [1, 2 ** 52, -1], [-1, -1], [1.7e12, 1, 1.8e12]]) {
    const builder = new RecordBatchBuilder('t', 3, 10_000)
    for (const timestamp of timestamps) builder.append(ranges({ ...plainRecord('v'), timestamp }))
    const { bytes } = builder.seal()
    const header = readRecordBatchHeader(bytes, 0, 't/3', { checkCrc: false })
    assert.equal(header?.baseTimestamp, timestamps[0])
    assert.equal(header?.maxTimestamp, Math.max(...timestamps))
    assert.deepEqual(
      recordsOf(read(bytes)).map(record => record.timestamp),
      timestamps,
    )
  }
})

test('a timestamp that is no whole number of milliseconds is a bug of the caller', () => {
  const builder = new RecordBatchBuilder('t', 3, 10_000)
  for (const timestamp of [1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => builder.append(ranges({ ...plainRecord('v'), timestamp })), { code: 'BUG' })
  }
  assert.equal(builder.count, 0)
})

test('headers that are carried over come first, our own behind them', () => {
  const builder = new RecordBatchBuilder('t', 3, 10_000)
  const own = encodeHeaders([
    ['kri-source', Buffer.from('a/1/2')],
    ['same', null],
  ])
  const record = ranges({ ...plainRecord('v'), headers: [['same', Buffer.from('1')]] })
  builder.append({ ...record, ownHeaders: own, ownHeadersEnd: own.length, ownHeaderCount: 2 })
  assert.deepEqual(recordsOf(read(builder.seal().bytes))[0]?.headers, [
    ['same', Buffer.from('1')],
    ['kri-source', Buffer.from('a/1/2')],
    ['same', null],
  ])
})

test('ranges of any length and alignment are copied whole', () => {
  const source = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 37) & 0xff))
  const builder = new RecordBatchBuilder('t', 3, 1e6)
  const expected: Buffer[] = []
  for (let length = 0; length < 400; length++) {
    const start = (length * 13) % 1500
    const record = ranges(plainRecord(''))
    builder.append({ ...record, value: source, valueStart: start, valueEnd: start + length })
    expected.push(source.subarray(start, start + length))
  }
  assert.deepEqual(
    recordsOf(read(builder.seal().bytes)).map(record => record.value),
    expected,
  )
})

test('an empty batch cannot be sealed', () => {
  assert.throws(() => new RecordBatchBuilder('t', 3, 100).seal(), { code: 'BUG' })
})

test('a stamp sets producer, epoch, sequence, the transactional bit and the CRC, and can be set anew', () => {
  const builder = new RecordBatchBuilder('t', 3, 10_000)
  builder.append(ranges(plainRecord('v')))
  const { bytes } = builder.seal()
  const unstamped = readRecordBatchHeader(bytes, 0, 't/3', { checkCrc: false })
  assert.deepEqual([unstamped?.producerId, unstamped?.producerEpoch, unstamped?.baseSequence], [-1, -1, -1])
  for (const [id, transactional] of [
    [123_456_789_012n, true],
    [7, false],
  ] as const) {
    stampProducer(bytes, id, 9, 2 ** 31 - 1, { transactional })
    const header = readRecordBatchHeader(bytes, 0, 't/3', { checkCrc: false })
    assert.equal(header?.producerId, Number(id))
    assert.equal(header?.producerEpoch, 9)
    assert.equal(header?.baseSequence, 2 ** 31 - 1)
    assert.equal(header?.transactional, transactional)
    readRecordBlock({ topic: 't', partition: 3, records: bytes, startOffset: 0, endOffset: 1 })
  }
})
