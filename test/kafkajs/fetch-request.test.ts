import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fetchRequest } from '../../src/kafkajs/fetch-request.ts'
import { RequestWriter } from '../../src/kafkajs/request-writer.ts'
import { fetchV11 } from '../support/kafkajs-originals.ts'
import { valuesAt } from '../support/record-batches.ts'

const options = {
  isolation: 'read_committed',
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 10_000_000,
  partitions: [],
} as const

test('the request is, byte for byte, the one that kafkajs makes', async () => {
  for (const [isolation, isolationLevel] of [
    ['read_committed', 1],
    ['read_uncommitted', 0],
  ] as const) {
    const original = await fetchV11({
      replicaId: -1,
      isolationLevel,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: 10_000_000,
      topics: [
        { topic: 'b', partitions: [{ partition: 3, fetchOffset: '5000000000', maxBytes: 1000 }] },
        {
          topic: 'a',
          partitions: [
            { partition: 0, fetchOffset: '0', maxBytes: 1000 },
            { partition: 1, fetchOffset: '7', maxBytes: 2000 },
          ],
        },
      ],
    }).encode()
    const partitions = [
      { topic: 'b', partition: 3, offset: 5_000_000_000, maxBytes: 1000 },
      { topic: 'a', partition: 0, offset: 0, maxBytes: 1000 },
      { topic: 'a', partition: 1, offset: 7, maxBytes: 2000 },
    ]
    const payload = await fetchRequest({ ...options, isolation, partitions }).request.encode()
    assert.deepEqual(Buffer.concat(payload.chunks), Buffer.from(original.buffer))
  }
})

test('many partitions with long names fit into one request', async () => {
  const topic = 'x'.repeat(249)
  const partitions = Array.from({ length: 1000 }, (_, partition) => ({ topic, partition, offset: 1, maxBytes: 1 }))
  const payload = await fetchRequest({ ...options, partitions }).request.encode()
  assert.ok(payload.size > 1000 * 28)
})

test('the answer is told per partition, with error codes, aborted transactions and the records as a view', async () => {
  const records = valuesAt(10, ['a', 'b'])
  const writer = new RequestWriter().int32(30).int16(0).int32(0).int32(1)
  writer.string('a').int32(2)
  writer.int32(0).int16(0).int64(120).int64(110).int64(5).int32(2)
  writer.int64(77).int64(11).int64(78).int64(9).int32(-1).int32(records.length)
  const head = writer.take()
  writer.int32(1).int16(1).int64(-1).int64(-1).int64(-1).int32(-1).int32(-1).int32(-1)
  const payload = Buffer.concat([head, records, writer.take()])
  const answer = await fetchRequest(options).response.decode(payload)
  const [first, second] = answer.partitions
  assert.equal(answer.errorCode, 0)
  assert.equal(answer.clientSideThrottleTime, 30)
  assert.deepEqual(first, {
    topic: 'a',
    partition: 0,
    errorCode: 0,
    highWatermark: 120,
    lastStableOffset: 110,
    logStartOffset: 5,
    abortedTransactions: [
      { producerId: 77, firstOffset: 11 },
      { producerId: 78, firstOffset: 9 },
    ],
    records,
  })
  assert.equal(first?.records.buffer, payload.buffer)
  assert.equal(second?.errorCode, 1)
  assert.deepEqual(second?.abortedTransactions, [])
  assert.equal(second?.records.length, 0)
})

test('an answer that ends too early is an error, not a short answer', async () => {
  const writer = new RequestWriter().int32(0).int16(0).int32(0).int32(1)
  writer.string('a').int32(1)
  writer.int32(0).int16(0).int64(1).int64(1).int64(0).int32(0).int32(-1).int32(100)
  await assert.rejects(fetchRequest(options).response.decode(writer.take()), { code: 'BROKER_REFUSED' })
})

test('the connection waits longer for the answer than the broker may hold it', () => {
  assert.ok(fetchRequest({ ...options, maxWaitMs: 20_000 }).requestTimeout > 20_000)
})
