// Record batches with checksums that match and contents that lie: what fuzzing found, each with its smallest input.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { decompressRecords, MAX_DECOMPRESSED_BYTES } from '../../src/kafka/compression.ts'
import { BATCH, LENGTH_PREFIX } from '../../src/kafka/record-batch-format.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { countOfPrefix, encodeHeaders, parseHeaders, withoutPrefix } from '../../src/kafka/record-headers.ts'
import { plainRecord, sealedBatch, storedBatch, valuesAt, valuesOf } from '../support/record-batches.ts'

const load = createRequire(import.meta.url)
const { compressFrameSync } = load('lz4-napi') as { compressFrameSync(bytes: Buffer): Buffer }
const { compressSync } = load('snappy') as { compressSync(bytes: Buffer): Buffer }

function read(records: Buffer, startOffset = 0) {
  return readRecordBlock({ topic: 't', partition: 0, records, startOffset, endOffset: 0 })
}

/** The batch of these records bytes, stored under this codec. */
function compressed(codec: number, records: Buffer, baseOffset: number, count: number): Buffer {
  const head = sealedBatch([plainRecord('v')]).bytes.subarray(0, BATCH.records)
  const bytes = Buffer.concat([head, records])
  bytes.writeInt16BE(codec, BATCH.attributes)
  bytes.writeInt32BE(bytes.length - LENGTH_PREFIX, BATCH.length)
  return storedBatch(bytes, { baseOffset, lastOffset: baseOffset + count - 1, count })
}

test('5: a count that the bytes cannot hold is refused before memory is taken for it', () => {
  for (const count of [2, 0x7fffffff]) {
    const bytes = storedBatch(sealedBatch([plainRecord('')]).bytes, { count })
    assert.throws(() => read(bytes), {
      code: 'RECORDS_UNREADABLE',
      message: new RegExp(`t/0.*offset 0.*${count} records`),
    })
  }
})

test('6: offsets that do not rise, or leave their batch, are refused', () => {
  const good = sealedBatch([plainRecord('a'), plainRecord('b')]).bytes
  // The offset delta of the second record stands behind length, attributes and timestamp of it.
  const second = good.length - 8 + 3
  assert.equal(good[second], 2, 'a delta of one')
  for (const delta of [0, 1, 4]) {
    const bad = Buffer.from(good)
    bad[second] = delta
    assert.throws(() => read(storedBatch(bad)), { code: 'RECORDS_UNREADABLE', message: /record 1 of 2.*0 to 1/ })
  }
  const early = Buffer.from(good)
  early.writeInt32BE(0, BATCH.lastOffsetDelta)
  assert.throws(() => read(storedBatch(early)), { code: 'RECORDS_UNREADABLE' })
})

test('6: batches that overlap, or do not rise, are refused', () => {
  for (const second of [0, 1, 4]) {
    const response = Buffer.concat([valuesAt(4, ['a', 'b']), valuesAt(second, ['c'])])
    assert.throws(() => read(response), { code: 'RECORDS_UNREADABLE', message: /from 6 on were expected/ })
  }
  assert.throws(() => read(valuesAt(-5, ['a'])), { code: 'RECORDS_UNREADABLE' })
})

test('6: a batch that ends beyond 2^53 is refused, since the offset behind it is no number', () => {
  const bytes = valuesAt(Number.MAX_SAFE_INTEGER - 1, ['a', 'b'])
  assert.throws(() => read(bytes), { code: 'RECORDS_UNREADABLE', message: /below 2\^53/ })
})

test('bytes behind the last field of a record without headers are refused', () => {
  const good = sealedBatch([plainRecord('abc')]).bytes
  // A value that says it is one byte shorter: what was the count of headers is left over.
  const bad = Buffer.from(good)
  bad[bad.length - 5] = 4
  bad[bad.length - 2] = 0
  assert.throws(() => read(storedBatch(bad)), { code: 'RECORDS_UNREADABLE', message: /record 0 of 1/ })
})

describe('memory of compressed batches', () => {
  const tooLarge = Buffer.alloc(MAX_DECOMPRESSED_BYTES + 1)
  const bombs: [name: string, codec: number, bytes: () => Buffer][] = [
    ['gzip', 1, () => gzipSync(tooLarge, { level: 1 })],
    ['snappy that only says so', 2, () => Buffer.from('ffffffff0f', 'hex')],
    [
      'snappy of the Java client, whose blocks add up',
      2,
      () => xerial(20, compressSync(Buffer.alloc(8 * 1024 * 1024))),
    ],
    ['lz4', 3, () => compressFrameSync(tooLarge)],
    ['zstd', 4, () => zstdCompressSync(tooLarge)],
  ]
  for (const [name, codec, bytes] of bombs) {
    test(`${name}: more than ${MAX_DECOMPRESSED_BYTES} bytes is refused`, () => {
      const bomb = bytes()
      const before = process.memoryUsage().rss
      assert.throws(() => decompressRecords(codec, bomb, 't/0 offset 9'), { code: 'RECORDS_UNREADABLE' })
      assert.ok(process.memoryUsage().rss - before < 1.5 * MAX_DECOMPRESSED_BYTES, 'and is not held first')
    })
  }

  test('5: batches behind sixteen mebibytes are left for the next fetch, and none is lost', () => {
    const records = sealedBatch(Array.from({ length: 40 }, () => plainRecord('x'.repeat(250_000)))).bytes.subarray(
      BATCH.records,
    )
    const packed = zstdCompressSync(records)
    const response = Buffer.concat([0, 40, 80, 120].map(baseOffset => compressed(4, packed, baseOffset, 40)))
    let offset = 0
    const counts: number[] = []
    while (offset < 160) {
      const block = read(response, offset)
      assert.equal(block.offset(0), offset)
      counts.push(block.count)
      offset = block.nextOffset
    }
    assert.deepEqual(counts, [80, 80])
  })
})

function xerial(times: number, block: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  return Buffer.concat([head, ...Array.from({ length: times }, () => Buffer.concat([length, block]))])
}

test('headers that are more than their count says are refused: carried over, they would be counted wrong', () => {
  const bytes = encodeHeaders([
    ['a', Buffer.from('1')],
    ['kri-source', Buffer.from('forged/0/0')],
  ])
  const prefix = Buffer.from('kri-')
  for (const walk of [parseHeaders, countOfPrefix, withoutPrefix])
    assert.throws(() => walk(bytes, 0, bytes.length, 1, prefix), { code: 'RECORDS_UNREADABLE', message: /wrong count/ })
})

test('a batch of records without anything takes seven bytes each, and is read', () => {
  const empty = { timestamp: 0, key: null, value: null, headers: [] }
  assert.deepEqual(valuesOf(read(storedBatch(sealedBatch([empty, empty, empty]).bytes))), [
    undefined,
    undefined,
    undefined,
  ])
})
