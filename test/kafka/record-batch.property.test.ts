/** Our record batches against those of kafkajs, both ways, on random records. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compressBatch } from '../../src/kafka/compression.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { stampProducer } from '../../src/kafka/record-batch-stamp.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import {
  Decoder,
  decodeMessages,
  decodeRecordBatch,
  encodeRecord,
  encodeRecordBatch,
  type KafkajsRecord,
} from '../support/kafkajs-originals.ts'
import { plainRecord, recordsOf, sealedBatch, storedBatch, type TestRecord } from '../support/record-batches.ts'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(array => Buffer.from(array))
const timestamp = fc.oneof(
  fc.constantFrom(0, 1, 1_790_000_000_000),
  fc.integer({ min: 0, max: 2 ** 45 }),
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
)
/** Few names, so that many repeat; kafkajs folds headers into an object, so none that means something there. */
const headerName = fc.constantFrom('a', 'b', 'trace', 'ключ', '')

function records(headerValue: fc.Arbitrary<Buffer | null>): fc.Arbitrary<TestRecord[]> {
  const record = fc.record({
    timestamp,
    key: fc.option(bytes(40)),
    value: fc.option(fc.oneof(bytes(40), bytes(600))),
    headers: fc.array(fc.tuple(headerName, headerValue), { maxLength: 4 }) as fc.Arbitrary<Header[]>,
  })
  return fc.array(record, { minLength: 1, maxLength: 20 })
}

/** Headers as kafkajs gives them: the values of a repeated name in a list. */
function folded(headers: readonly Header[]): KafkajsRecord['headers'] {
  const object: Record<string, (Buffer | null)[]> = {}
  for (const [name, value] of headers) object[name] = [...(object[name] ?? []), value]
  return Object.fromEntries(Object.entries(object).map(([name, all]) => [name, all.length === 1 ? all[0]! : all]))
}

for (const compression of ['none', 'gzip'] as const) {
  test(`kafkajs reads what we write (${compression})`, async () => {
    await fc.assert(
      fc.asyncProperty(records(fc.option(bytes(30))), fc.nat(2 ** 40), async (written, baseOffset) => {
        const sealed = await compressBatch(sealedBatch(written), compression)
        stampProducer(sealed.bytes, 77, 3, 5)
        const decoded = await decodeRecordBatch(new Decoder(storedBatch(sealed.bytes, { baseOffset })))
        assert.equal(decoded.maxTimestamp, String(Math.max(...written.map(record => record.timestamp))))
        assert.deepEqual(
          decoded.records.map(({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key,
            value,
            headers,
          })),
          written.map((record, i) => ({
            offset: String(baseOffset + i),
            timestamp: String(record.timestamp),
            key: record.key,
            value: record.value,
            headers: folded(record.headers),
          })),
        )
      }),
      { numRuns: 200 },
    )
  })

  test(`we read what kafkajs writes (${compression})`, async () => {
    await fc.assert(
      fc.asyncProperty(records(bytes(30)), fc.nat(2 ** 40), async (written, firstOffset) => {
        const firstTimestamp = written[0]!.timestamp
        const batch = await encodeRecordBatch({
          compression: compression === 'gzip' ? 1 : 0,
          firstOffset,
          firstTimestamp,
          maxTimestamp: Math.max(...written.map(record => record.timestamp)),
          lastOffsetDelta: written.length - 1,
          producerId: 12,
          records: written.map(({ timestamp, key, value, headers }, i) =>
            encodeRecord({
              key,
              value,
              headers: folded(headers),
              offsetDelta: i,
              timestampDelta: timestamp - firstTimestamp,
            }),
          ),
        })
        const block = readRecordBlock({
          topic: 't',
          partition: 0,
          records: Buffer.from(batch.buffer),
          startOffset: firstOffset,
          endOffset: 0,
        })
        assert.equal(block.nextOffset, firstOffset + written.length)
        assert.deepEqual(
          recordsOf(block).map(record => ({ ...record, headers: folded(record.headers) })),
          written.map((record, i) => ({ ...record, offset: firstOffset + i, headers: folded(record.headers) })),
        )
      }),
      { numRuns: 200 },
    )
  })
}

test('several batches in one response are read alike by both', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(records(fc.option(bytes(20))), { maxLength: 5 }), async batches => {
      let offset = 0
      const parts = batches.map(written => {
        const stored = storedBatch(sealedBatch(written).bytes, { baseOffset: offset })
        offset += written.length
        return stored
      })
      const response = Buffer.concat(parts)
      const size = Buffer.alloc(4)
      size.writeInt32BE(response.length)
      const theirs = await decodeMessages(new Decoder(Buffer.concat([size, response])))
      const ours = readRecordBlock({ topic: 't', partition: 0, records: response, startOffset: 0, endOffset: 0 })
      assert.equal(ours.nextOffset, offset)
      assert.deepEqual(
        recordsOf(ours).map(({ offset, timestamp, key, value, headers }) => ({
          offset: String(offset),
          timestamp: String(timestamp),
          key,
          value,
          headers: folded(headers),
        })),
        theirs.map(({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key, value, headers })),
      )
    }),
    { numRuns: 100 },
  )
})

test('we write a null header and a timestamp of zero, which kafkajs cannot', async () => {
  assert.throws(() => encodeRecord({ value: Buffer.from('v'), headers: { gone: null } }), TypeError)
  const written: TestRecord[] = [
    { ...plainRecord('v'), timestamp: 0, headers: [['gone', null]] },
    { ...plainRecord('w'), timestamp: 5 },
  ]
  const records = storedBatch(sealedBatch(written).bytes)
  const block = readRecordBlock({ topic: 't', partition: 0, records, startOffset: 0, endOffset: 0 })
  assert.deepEqual(
    recordsOf(block).map(({ offset: _, ...record }) => record),
    written,
  )
})

test('we read a batch whose records are too many for kafkajs to spread', async () => {
  const count = 250_000
  const record = plainRecord('')
  const stored = storedBatch(sealedBatch(Array.from({ length: count }, () => record)).bytes)
  const size = Buffer.alloc(4)
  size.writeInt32BE(stored.length)
  await assert.rejects(decodeMessages(new Decoder(Buffer.concat([size, stored]))), RangeError)
  const block = readRecordBlock({ topic: 't', partition: 0, records: stored, startOffset: 0, endOffset: 0 })
  assert.equal(block.count, count)
})
