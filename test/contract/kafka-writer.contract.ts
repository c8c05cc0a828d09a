import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SendResult, WritePermit } from '../../src/kafka/port.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { batchOf, Harness, type PortFeatures, withCode } from './port-harness.ts'

export function kafkaWriterContract(features: PortFeatures): void {
  suite(`Kafka port, writer and records: ${features.name}`, () => {
    const numbered = (topic: string, partition: number, from: number, count: number) =>
      batchOf(
        topic,
        partition,
        Array.from({ length: count }, (_, i) => ({ value: String(from + i) })),
        features.wallTime(),
      )

    test('one result per batch, in order, with the offset of its first record', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('results', 2)
      const results = await h.writer.send([
        numbered(topic, 0, 0, 3),
        numbered(topic, 1, 0, 1),
        numbered(topic, 0, 3, 2),
        numbered(topic, 0, 5, 1),
        numbered(topic, 1, 1, 4),
      ])
      assert.deepEqual(
        results.map(result => result.outcome === 'acknowledged' && result.baseOffset),
        [0, 0, 3, 5, 1],
      )
      assert.deepEqual(await h.writer.send([]), [])
    })

    test('batches of a partition are written in call order, also when nobody waits in between', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('order', 2)
      const sends = []
      for (let i = 0; i < 40; i++)
        sends.push(h.writer.send([numbered(topic, i % 2, i * 5, 5), numbered(topic, 0, 0, 1)]))
      await Promise.all(sends)
      const values = (await h.scan(topic, 0)).map(record => String(record.value)).filter(value => value !== '0')
      const expected = Array.from({ length: 100 }, (_, i) => String(Math.floor(i / 5) * 10 + (i % 5)))
      assert.deepEqual(values, expected.slice(1))
      assert.equal((await h.scan(topic, 1)).length, 100)
    })

    test('a batch that is too large is refused, its neighbours are written', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('large', 1, { 'max.message.bytes': '2000' })
      assert.equal((await h.writer.topic(topic)).maxMessageBytes, 2000)
      const large = batchOf(topic, 0, [{ value: Buffer.alloc(3000) }], features.wallTime())
      const results = await h.writer.send([numbered(topic, 0, 0, 2), large, numbered(topic, 0, 2, 2)])
      assert.deepEqual(
        results.map(result => result.outcome),
        ['acknowledged', 'refused', 'acknowledged'],
      )
      assert.ok(results[1]!.outcome === 'refused' && /MESSAGE_TOO_LARGE/.test(results[1]!.reason))
      assert.equal((await h.scan(topic, 0)).length, 4)
    })

    test('a timestamp more than an hour ahead is refused', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('future')
      const ahead = batchOf(topic, 0, [{ value: 'x' }], features.wallTime() + 2 * 3_600_000)
      const [result] = await h.writer.send([ahead])
      assert.ok(result!.outcome === 'refused' && /INVALID_TIMESTAMP/.test(result!.reason))
    })

    test('a null key is refused by a compacted topic', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('compacted', 1, { 'cleanup.policy': 'compact' })
      const [refused] = await h.writer.send([numbered(topic, 0, 0, 1)])
      assert.ok(refused!.outcome === 'refused' && /INVALID_RECORD/.test(refused!.reason))
      assert.equal(await h.write(topic, 0, [{ key: 'k', value: 'v' }]), 0)
    })

    test('the writer knows partition count and size limit of a topic', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('view', 3)
      assert.equal((await h.writer.topic(topic)).partitions, 3)
      assert.ok((await h.writer.topic(topic)).maxMessageBytes >= 1_000_000)
    })

    test('a topic that does not exist is TOPIC_MISSING, and others are still written', async t => {
      const h = await Harness.open(features, t)
      const missing = h.name('missing')
      await assert.rejects(h.writer.topic(missing), withCode('TOPIC_MISSING'))
      await assert.rejects(h.writer.send([numbered(missing, 0, 0, 1)]), withCode('TOPIC_MISSING'))
      assert.equal(await h.writeNumbered(await h.topic('there'), 0, 0, 1), 0)
    })

    test('a closed writer is CLOSED', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('closed')
      const writer = h.port.writer()
      await writer.close()
      await assert.rejects(writer.send([numbered(topic, 0, 0, 1)]), withCode('CLOSED'))
    })

    test('a batch needs its permit when its turn comes: held it waits, withdrawn it is dropped, and those behind go on', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('permit')
      let permit: ReturnType<WritePermit> = 'hold'
      const [held, behind] = ['held', 'behind'].map(value => batchOf(topic, 0, [{ value }], features.wallTime()))
      const results: SendResult[] = []
      let asked = 0
      const sends = [
        h.writer.send([held!], () => {
          asked++
          return permit
        }),
        h.writer.send([behind!]),
      ].map(sent => sent.then(([result]) => results.push(result!)))
      await features.eventually('it was asked again', () => asked > 2)
      assert.deepEqual([results, await h.scan(topic, 0)], [[], []])
      permit = 'drop'
      await features.eventually('both are decided', () => results.length === 2)
      await Promise.all(sends)
      assert.deepEqual(results.map(({ outcome }) => outcome).sort(), ['acknowledged', 'dropped'])
      assert.deepEqual(
        (await h.scan(topic, 0)).map(({ value }) => String(value)),
        ['behind'],
      )
    })

    test('two writers have their own producer ids', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('two')
      const other = h.port.writer()
      t.after(() => other.close())
      await Promise.all([h.writer.send([numbered(topic, 0, 0, 5)]), other.send([numbered(topic, 0, 5, 5)])])
      assert.equal((await h.scan(topic, 0)).length, 10)
    })

    test('records come back byte for byte: null, empty and binary keys and values', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('bytes')
      const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      const parts = [null, '', 'text', binary]
      const records = parts.flatMap(key => parts.map(value => ({ key, value })))
      await h.write(topic, 0, records)
      const asBytes = (part: string | Buffer | null) => (part === null ? null : Buffer.from(part))
      assert.deepEqual(
        (await h.scan(topic, 0)).map(({ key, value }) => [key, value]),
        records.map(({ key, value }) => [asBytes(key), asBytes(value)]),
      )
    })

    test('headers keep their order, their duplicates, their null and empty values', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('headers')
      const headers: Header[] = [
        ['b', Buffer.from('1')],
        ['a', null],
        ['b', Buffer.from('2')],
        ['', Buffer.alloc(0)],
        ['naïve', Buffer.from('é')],
        ['a', null],
      ]
      await h.write(topic, 0, [{ value: 'x', headers }, { value: 'y' }])
      const [first, second] = await h.scan(topic, 0)
      assert.deepEqual(first!.headers, headers)
      assert.deepEqual(second!.headers, [])
    })

    test('timestamps are kept, also that of 1970 and those that go back', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('timestamps', 1, { 'retention.ms': '-1' })
      const now = features.wallTime()
      const timestamps = [now, 0, now - 86_400_000, 1, now + 60_000]
      await h.write(
        topic,
        0,
        timestamps.map(timestamp => ({ value: 'x', timestamp })),
      )
      assert.deepEqual(
        (await h.scan(topic, 0)).map(record => record.timestamp),
        timestamps,
      )
    })

    test('LogAppendTime gives the time of arrival, whatever was sent', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('append-time', 1, { 'message.timestamp.type': 'LogAppendTime' })
      const before = features.wallTime()
      await h.write(topic, 0, [
        { value: 'old', timestamp: 0 },
        { value: 'ahead', timestamp: before + 10 * 3_600_000 },
      ])
      for (const record of await h.scan(topic, 0)) {
        assert.ok(record.timestamp >= before - 1_000 && record.timestamp <= features.wallTime() + 1_000)
      }
    })
  })
}
