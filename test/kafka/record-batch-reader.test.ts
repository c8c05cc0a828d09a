import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compressBatch } from '../../src/kafka/compression.ts'
import { BATCH, LENGTH_PREFIX } from '../../src/kafka/record-batch-format.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import {
  endMarker,
  plainRecord,
  recordsOf,
  type StoredFields,
  sealedBatch,
  storedBatch,
  valuesAt,
  valuesOf,
} from '../support/record-batches.ts'

function read(records: Buffer, startOffset = 0) {
  return readRecordBlock({ topic: 't', partition: 0, records, startOffset, endOffset: 100 })
}

test('nothing fetched is an empty block that stays where it is', () => {
  const block = read(Buffer.alloc(0), 17)
  assert.equal(block.count, 0)
  assert.equal(block.nextOffset, 17)
  assert.equal(block.endOffset, 100)
})

test('the end of the log is never before the records of the same answer', () => {
  const block = readRecordBlock({
    ...{ topic: 't', partition: 0, startOffset: 0 },
    ...{ records: valuesAt(0, ['a', 'b', 'c']), endOffset: 2 },
  })
  assert.equal(block.endOffset, 3)
})

test('1: records before the wanted offset are left out', () => {
  const records = Buffer.concat([valuesAt(10, ['a', 'b', 'c']), valuesAt(13, ['d'])])
  assert.deepEqual(valuesOf(read(records, 12)), ['c', 'd'])
  assert.deepEqual(valuesOf(read(records, 13)), ['d'])
  assert.equal(read(records, 12).offset(0), 12)
  assert.equal(read(records, 12).nextOffset, 14)
})

test('1: control records are left out; 2: the next offset is behind them', () => {
  const records = Buffer.concat([
    valuesAt(0, ['a'], { producerId: 5, transactional: true }),
    endMarker('commit', 1, 5),
    valuesAt(2, ['b']),
    endMarker('commit', 3, 5),
  ])
  assert.deepEqual(valuesOf(read(records)), ['a', 'b'])
  assert.equal(read(records).nextOffset, 4)
  const onlyControl = read(endMarker('commit', 9, 5), 9)
  assert.equal(onlyControl.count, 0)
  assert.equal(onlyControl.nextOffset, 10)
})

test('2: the next offset is behind what compaction removed, also from a batch that it emptied', () => {
  const thinned = valuesAt(10, ['a', 'b'], { lastOffset: 19 })
  assert.equal(read(thinned, 10).nextOffset, 20)
  const header = Buffer.from(valuesAt(20, ['x']).subarray(0, BATCH.records))
  header.writeInt32BE(BATCH.records - LENGTH_PREFIX, BATCH.length)
  const emptied = storedBatch(header, { baseOffset: 20, lastOffset: 29, count: 0 })
  const block = read(Buffer.concat([thinned, emptied]), 10)
  assert.deepEqual(valuesOf(block), ['a', 'b'])
  assert.equal(block.nextOffset, 30)
})

test('3: a batch that is cut off at any byte is left for the next fetch', () => {
  const whole = valuesAt(0, ['a', 'b'])
  const next = valuesAt(2, ['c', 'd'])
  for (let kept = 0; kept < next.length; kept++) {
    const block = read(Buffer.concat([whole, next.subarray(0, kept)]))
    assert.deepEqual(valuesOf(block), ['a', 'b'])
    assert.equal(block.nextOffset, 2)
  }
})

test('4: a flipped bit anywhere behind the CRC is noticed', () => {
  const good = valuesAt(0, ['a', 'b'])
  for (let at = 21; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad[at]! ^= 1
    assert.throws(() => read(bad), { code: 'RECORDS_UNREADABLE', message: /t\/0.*offset 0.*CRC/ })
  }
})

test('message formats 0 and 1 are refused by name, not misread', () => {
  for (const magic of [0, 1]) {
    assert.throws(() => read(valuesAt(7, ['a'], { magic })), {
      code: 'RECORDS_UNREADABLE',
      message: new RegExp(`t/0.*offset 7.*format ${magic}.*expected 2`),
    })
  }
})

test('a topic with LogAppendTime gives every record the time of its append', () => {
  const records = [1, 2, 3].map(timestamp => ({ ...plainRecord('v'), timestamp }))
  const stored = storedBatch(sealedBatch(records).bytes, { appendTime: 777_000 })
  assert.deepEqual(
    recordsOf(read(stored)).map(record => record.timestamp),
    [777_000, 777_000, 777_000],
  )
})

test('lengths that leave their record or batch are refused when checksums are off', () => {
  const good = valuesAt(0, ['abc', 'd'])
  for (let at = 61; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad[at] = 0xfe
    const fetched = { topic: 't', partition: 0, records: bad, startOffset: 0, endOffset: 0, checkCrc: false }
    try {
      const block = readRecordBlock(fetched)
      for (const { key, value } of recordsOf(block)) assert.ok((key?.length ?? 0) + (value?.length ?? 0) < 9)
      for (let i = 0; i < block.count; i++) assert.ok(block.headersEnd(i) <= bad.length)
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'RECORDS_UNREADABLE')
    }
  }
})

test('timestamps beyond 2^53, as of a producer that counts nanoseconds, saturate and harm nobody', () => {
  const bytes = sealedBatch([plainRecord('a'), { ...plainRecord('b'), timestamp: 1005 }]).bytes
  bytes.writeBigInt64BE(1_790_000_000_000_000_000n, BATCH.baseTimestamp)
  const block = read(storedBatch(bytes))
  assert.deepEqual(valuesOf(block), ['a', 'b'])
  assert.deepEqual([block.timestamp(0), block.timestamp(1)], [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
})

test('offsets beyond 2^53 are refused', () => {
  const bytes = valuesAt(0, ['a'])
  bytes.writeBigInt64BE(2n ** 53n, 0)
  assert.throws(() => read(bytes), { code: 'RECORDS_UNREADABLE', message: /9007199254740992/ })
})

test('offsets and timestamps near 2^53 are exact', () => {
  const baseOffset = 2 ** 53 - 10
  const records = [0, 1, 2].map(i => ({ ...plainRecord('v'), timestamp: 2 ** 52 + i }))
  const block = read(storedBatch(sealedBatch(records).bytes, { baseOffset }), baseOffset)
  assert.deepEqual(
    recordsOf(block).map(record => [record.offset, record.timestamp]),
    [0, 1, 2].map(i => [baseOffset + i, 2 ** 52 + i]),
  )
})

test('uncompressed records are views into the response; the block says what it retains', () => {
  const response = valuesAt(0, ['abc'])
  const block = read(response)
  assert.equal(block.value(0)?.buffer, response.buffer)
  assert.ok(block.retainedBytes >= response.length)
})

test('compressed and plain batches mix, in order, also when the first records are not wanted', async () => {
  const parts: Buffer[] = []
  const expected: string[] = []
  let offset = 0
  for (const compression of ['zstd', 'none', 'gzip', 'lz4', 'snappy', 'none'] as const) {
    const values = Array.from({ length: 20 }, (_, i) => `${compression} ${offset + i} ${'x'.repeat(50)}`)
    const batch = await compressBatch(sealedBatch(values.map(value => plainRecord(value))), compression)
    const fields: StoredFields = { baseOffset: offset }
    parts.push(storedBatch(batch.bytes, fields))
    expected.push(...values)
    offset += values.length
  }
  const block = read(Buffer.concat(parts), 5)
  assert.deepEqual(valuesOf(block), expected.slice(5))
  assert.equal(block.nextOffset, expected.length)
})

test('a batch with more than 200,000 records is read', () => {
  const record = plainRecord('')
  const count = 250_000
  const block = read(sealedStored(Array.from({ length: count }, () => record)))
  assert.equal(block.count, count)
  assert.equal(block.offset(count - 1), count - 1)
})

function sealedStored(records: Parameters<typeof sealedBatch>[0]): Buffer {
  return storedBatch(sealedBatch(records).bytes)
}
