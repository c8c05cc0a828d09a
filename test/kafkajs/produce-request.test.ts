import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stampProducer } from '../../src/kafka/record-batch-stamp.ts'
import { produceRequest } from '../../src/kafkajs/produce-request.ts'
import { RequestWriter } from '../../src/kafkajs/request-writer.ts'
import { produceV7 } from '../support/kafkajs-originals.ts'
import { plainRecord, sealedBatch } from '../support/record-batches.ts'

test('the request is, byte for byte, the one that kafkajs makes of the same records', async () => {
  for (const transactionalId of [null, 'app-in-0']) {
    const original = await produceV7({
      acks: -1,
      timeout: 1234,
      transactionalId,
      producerId: 42,
      producerEpoch: 3,
      topicData: [
        { topic: 'a', partitions: [1, 2].map(partition => theirs('a', partition)) },
        { topic: 'é', partitions: [theirs('é', 0)] },
      ],
    }).encode()
    const batches = [ours('a', 1), ours('é', 0), ours('a', 2)]
    for (const { bytes } of batches) {
      stampProducer(bytes, 42, 3, 7, { transactional: transactionalId !== null })
      bytes.writeInt32BE(0, 12) // kafkajs writes leader epoch 0 where Java and we write −1; the broker sets its own.
    }
    const payload = await produceRequest({ batches, timeoutMs: 1234, transactionalId }).request.encode()
    const whole = Buffer.concat(payload.chunks)
    assert.equal(payload.size, whole.length)
    assert.deepEqual(whole, Buffer.from(original.buffer))
  }
})

test('batches are sent from their own memory', async () => {
  const batches = [ours('a', 0), ours('a', 1)]
  const payload = await produceRequest({ batches, timeoutMs: 1 }).request.encode()
  for (const { bytes } of batches) assert.ok(payload.chunks.includes(bytes))
})

test('two batches for one partition in a request are a bug: the broker refuses the request', async () => {
  await assert.rejects(produceRequest({ batches: [ours('a', 0), ours('a', 0)], timeoutMs: 1 }).request.encode(), {
    code: 'BUG',
    message: /2 batches for 1 partitions of a/,
  })
})

test('the answer is told per partition, errors too', async () => {
  const writer = new RequestWriter().int32(2)
  writer.string('a').int32(2)
  writer.int32(0).int16(0).int64(5_000_000_000).int64(-1).int64(0)
  writer.int32(1).int16(45).int64(-1).int64(-1).int64(-1)
  writer.string('b').int32(1)
  writer.int32(7).int16(3).int64(-1).int64(-1).int64(-1)
  writer.int32(250)
  const answer = await produceRequest({ batches: [], timeoutMs: 1 }).response.decode(writer.take())
  assert.deepEqual(answer, {
    partitions: [
      { topic: 'a', partition: 0, errorCode: 0, baseOffset: 5_000_000_000 },
      { topic: 'a', partition: 1, errorCode: 45, baseOffset: -1 },
      { topic: 'b', partition: 7, errorCode: 3, baseOffset: -1 },
    ],
    clientSideThrottleTime: 250,
  })
})

function ours(topic: string, partition: number) {
  const text = `${topic}${partition}`
  return sealedBatch([plainRecord(text, Buffer.from('k')), { ...plainRecord(text), timestamp: 2000 }], topic, partition)
}

function theirs(topic: string, partition: number) {
  const value = Buffer.from(`${topic}${partition}`)
  const messages = [
    { key: Buffer.from('k'), value, timestamp: 1000 },
    { key: null, value, timestamp: 2000 },
  ]
  return { partition, firstSequence: 7, messages }
}
