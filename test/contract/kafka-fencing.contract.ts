import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TransactionalWriter } from '../../src/kafka/port.ts'
import { Harness, type PortFeatures, withCode } from './port-harness.ts'

const isFenced = withCode('TRANSACTION_FENCED')

export function kafkaFencingContract(features: PortFeatures): void {
  suite(`Kafka port, fencing: ${features.name}`, () => {
    const stable = async (h: Harness, topic: string) => (await h.port.admin.offsets(topic))[0]!.end
    const valuesOf = async (h: Harness, topic: string) => (await h.scan(topic, 0)).map(record => String(record.value))
    const committed = async (h: Harness, group: string, topic: string) =>
      (await h.port.admin.committed(group, topic))[0]!

    /** One with an open transaction of three records and an offset. */
    async function holder(h: Harness, id: string, topic: string, group: string): Promise<TransactionalWriter> {
      const writer = h.transactional(id)
      await writer.fence()
      await writer.send([h.numbered(topic, 0, 0, 3)])
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 8 }])
      return writer
    }

    const CALLS: readonly [name: string, call: (h: Harness, writer: TransactionalWriter, topic: string) => unknown][] =
      [
        ['send', (h, writer, topic) => writer.send([h.numbered(topic, 0, 50, 1)])],
        ['sendOffsets', (h, writer, topic) => writer.sendOffsets(h.name('g'), [{ topic, partition: 0, offset: 1 }])],
        ['commit', (_, writer) => writer.commit()],
        ['abort', (_, writer) => writer.abort()],
      ]
    for (const [name, call] of CALLS) {
      test(`who was fenced hears so from ${name}, and from every call after it`, async t => {
        const h = await Harness.open(features, t)
        const [topic, group, id] = [await h.topic('fenced'), h.name('group'), h.name('id')]
        const former = await holder(h, id, topic, group)
        const present = h.transactional(id)
        await present.fence()
        await assert.rejects(async () => call(h, former, topic), isFenced)
        for (const [, other] of CALLS) await assert.rejects(async () => other(h, former, topic), isFenced)
        await present.send([h.numbered(topic, 0, 9, 1)])
        await present.commit()
        await features.eventually('the present one is seen', async () => (await valuesOf(h, topic)).length > 0)
        assert.deepEqual(await valuesOf(h, topic), ['0:9'])
        assert.equal(await committed(h, group, topic), -1)
      })
    }

    test('an id goes back and forth: who has fenced last has it', async t => {
      const h = await Harness.open(features, t)
      const [topic, id] = [await h.topic('back'), h.name('id')]
      const [a, b] = [h.transactional(id), h.transactional(id)]
      for (let i = 0; i < 6; i++) {
        const [present, former] = i % 2 === 0 ? [a, b] : [b, a]
        await present.fence()
        if (i > 0) await assert.rejects(former.send([h.numbered(topic, 0, 90, 1)]), isFenced)
        await present.send([h.numbered(topic, 0, i, 1)])
        await present.commit()
      }
      await features.eventually('all are seen', async () => (await valuesOf(h, topic)).length === 6)
      assert.deepEqual(
        await valuesOf(h, topic),
        Array.from({ length: 6 }, (_, i) => `0:${i}`),
      )
    })

    test('fence ends what was left open: it is aborted, and offsets are final', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('left'), h.name('group'), h.name('id')]
      const former = await holder(h, id, topic, group)
      await former.close()
      await assert.rejects(former.fence(), withCode('CLOSED'))
      await assert.rejects(former.commit(), withCode('CLOSED'))
      assert.equal(await stable(h, topic), 0, 'closing leaves it open')
      await h.transactional(id).fence()
      assert.equal(await committed(h, group, topic), -1)
      await features.eventually('the abort is in the log', async () => (await stable(h, topic)) === 4)
      assert.deepEqual(await valuesOf(h, topic), [])
    })

    test('a commit that was decided before the fence is final when the fence is over', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('decided'), h.name('group'), h.name('id')]
      for (let i = 0; i < 5; i++) {
        const former = h.transactional(id)
        await former.fence()
        await former.send([h.numbered(topic, 0, i, 1)])
        await former.sendOffsets(group, [{ topic, partition: 0, offset: i + 1 }])
        await former.commit()
        await h.transactional(id).fence()
        assert.equal(await committed(h, group, topic), i + 1)
      }
      await features.eventually('all is seen', async () => (await valuesOf(h, topic)).length === 5)
    })

    test('the fence of the same writer drops its own open transaction', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('self'), h.name('group'), h.name('id')]
      const writer = await holder(h, id, topic, group)
      await writer.fence()
      await writer.commit()
      await writer.send([h.numbered(topic, 0, 5, 2)])
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 2 }])
      await writer.commit()
      await writer.fence()
      assert.equal(await committed(h, group, topic), 2)
      await features.eventually('the second is seen', async () => (await valuesOf(h, topic)).length > 0)
      assert.deepEqual(await valuesOf(h, topic), ['0:5', '0:6'])
    })

    test('nothing can be written before the first fence', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('unfenced')
      await assert.rejects(h.transactional(h.name('id')).send([h.numbered(topic, 0, 0, 1)]))
      assert.equal(await stable(h, topic), 0)
    })

    test('a transaction that is open for longer than its time-out is aborted, and its writer refused', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('time-out'), h.name('group')]
      const writer = h.transactional(h.name('id'), 1_000)
      await writer.fence()
      await writer.send([h.numbered(topic, 0, 0, 3)])
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 8 }])
      await features.eventually('the broker has aborted it', async () => (await stable(h, topic)) === 4, 30_000)
      // Brokers say the same of a time-out as of a fence.
      const isOver = (error: unknown) => /^TRANSACTION_(LOST|FENCED)$/.test((error as { code: string }).code)
      await assert.rejects(writer.commit(), isOver)
      await assert.rejects(writer.send([h.numbered(topic, 0, 3, 1)]), isOver)
      assert.equal(await committed(h, group, topic), -1)
      await writer.fence()
      await writer.send([h.numbered(topic, 0, 7, 1)])
      await writer.commit()
      await features.eventually('the next one is seen', async () => (await valuesOf(h, topic)).length > 0)
      assert.deepEqual(await valuesOf(h, topic), ['0:7'])
    })

    test('a topic that does not exist is TOPIC_MISSING', async t => {
      const h = await Harness.open(features, t)
      const writer = h.transactional(h.name('id'))
      await writer.fence()
      await assert.rejects(writer.send([h.numbered(h.name('missing'), 0, 0, 1)]), withCode('TOPIC_MISSING'))
    })
  })
}
