import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CompressionName, compressBatch, decompressRecords } from '../../src/kafka/compression.ts'
import { lz4Compress } from '../../src/kafka/lz4.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { snappyDecompress } from '../../src/kafka/snappy.ts'
import { plainRecord, sealedBatch, storedBatch, valuesOf } from '../support/record-batches.ts'

const NAMES: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

for (const [id, name] of NAMES.entries()) {
  test(`${name}: what is compressed is read back, and the batch says how`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 30 }), async values => {
        const plain = sealedBatch(values.map(value => plainRecord(value.repeat(3))))
        const before = Buffer.from(plain.bytes)
        const batch = await compressBatch(plain, name)
        assert.deepEqual(plain.bytes, before)
        const codec = batch.bytes.readInt16BE(21) & 7
        assert.equal(codec, batch === plain ? 0 : id)
        assert.ok(batch.bytes.length <= plain.bytes.length)
        const records = storedBatch(batch.bytes)
        const block = readRecordBlock({ topic: 't', partition: 0, records, startOffset: 0, endOffset: 0 })
        assert.deepEqual(
          valuesOf(block),
          values.map(value => value.repeat(3)),
        )
      }),
      { numRuns: 30 },
    )
  })
}

test('a megabyte that compresses well is smaller afterwards, with every codec', async () => {
  const plain = sealedBatch(Array.from({ length: 1000 }, (_, i) => plainRecord(`${i}`.repeat(300))))
  for (const name of NAMES.slice(1)) {
    const batch = await compressBatch(plain, name)
    assert.ok(batch.bytes.length < plain.bytes.length / 5, name)
    assert.equal(batch.count, plain.count)
  }
})

test('snappy in the framing of the Java client is read, in several blocks', async () => {
  const { compressSync } = createRequire(import.meta.url)('snappy') as { compressSync(bytes: Buffer): Buffer }
  const blocks = [Buffer.alloc(40_000, 'a'), Buffer.from('last')].map(bytes => compressSync(bytes))
  const framed: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (const block of blocks) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    framed.push(length, block)
  }
  const whole = Buffer.concat(framed)
  assert.deepEqual(snappyDecompress(whole, 50_000), Buffer.concat([Buffer.alloc(40_000, 'a'), Buffer.from('last')]))
  assert.throws(() => snappyDecompress(whole.subarray(0, whole.length - 1), 50_000), RangeError)
})

test('lz4 is written in independent blocks: the Java client reads no others', async () => {
  const frame = await lz4Compress(Buffer.alloc(300_000, 'abc'))
  assert.equal(frame.readUInt32LE(0), 0x184d2204)
  const flags = frame[4]!
  assert.equal(flags >>> 6, 1, 'version 1')
  assert.equal((flags >>> 5) & 1, 1, 'blocks are independent')
})

test('damaged bytes and unknown codecs are named, with the place', () => {
  for (const id of [1, 2, 3, 4]) {
    assert.throws(() => decompressRecords(id, Buffer.from([1, 2, 3, 250, 250]), 't/0 offset 9'), {
      code: 'RECORDS_UNREADABLE',
      message: /t\/0 offset 9/,
    })
  }
  assert.throws(() => decompressRecords(5, Buffer.alloc(4), 't/0 offset 9'), { message: /codec 5.*expected 1 to 4/ })
})
