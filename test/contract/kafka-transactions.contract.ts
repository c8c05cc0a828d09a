import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TransactionalWriter } from '../../src/kafka/port.ts'
import { batchOf, Harness, type PortFeatures } from './port-harness.ts'

export function kafkaTransactionsContract(features: PortFeatures): void {
  suite(`Kafka port, transactions: ${features.name}`, () => {
    const valuesOf = async (h: Harness, topic: string, partition = 0) =>
      (await h.scan(topic, partition)).map(record => String(record.value))
    const seen = (h: Harness, topic: string, partition: number, values: readonly string[]) =>
      features.eventually(`${topic}/${partition} has ${values}`, async () => {
        const now = await valuesOf(h, topic, partition)
        assert.ok(now.length <= values.length, `too much is seen: ${now}`)
        return now.join() === values.join()
      })
    const stable = async (h: Harness, topic: string) => (await h.port.admin.offsets(topic))[0]!.end
    const fenced = async (h: Harness, id: string, timeoutMs?: number) => {
      const writer = h.transactional(id, timeoutMs)
      await writer.fence()
      return writer
    }

    test('a committed transaction is seen whole: several calls, partitions and topics', async t => {
      const h = await Harness.open(features, t)
      const [one, two] = [await h.topic('one', 2), await h.topic('two')]
      const writer = await fenced(h, h.name('id'))
      const results = await writer.send([h.numbered(one, 0, 0, 2), h.numbered(two, 0, 0, 1), h.numbered(one, 1, 0, 3)])
      assert.deepEqual(
        results,
        [0, 0, 0].map(baseOffset => ({ outcome: 'acknowledged', baseOffset })),
      )
      assert.deepEqual(await writer.send([h.numbered(one, 0, 2, 1)]), [{ outcome: 'acknowledged', baseOffset: 2 }])
      assert.deepEqual(await writer.send([]), [])
      await writer.commit()
      await seen(h, one, 0, ['0:0', '0:1', '0:2'])
      await seen(h, one, 1, ['1:0', '1:1', '1:2'])
      await seen(h, two, 0, ['0:0'])
    })

    test('offsets keep what was committed along with them; what is pending is waited for', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('in', 3), h.name('group')]
      const writer = await fenced(h, h.name('id'))
      const commits = async (isStable = true) => await h.port.admin.commits(group, topic, { isStable })
      const nothing = { offset: -1, metadata: '' }
      assert.deepEqual(await commits(), [nothing, nothing, nothing])
      await writer.sendOffsets(group, [
        { topic, partition: 0, offset: 3, metadata: 'füße' },
        { topic, partition: 2, offset: 1 },
      ])
      assert.deepEqual(await commits(false), [nothing, nothing, nothing])
      const waiting = commits()
      await writer.commit()
      const all = [{ offset: 3, metadata: 'füße' }, nothing, { offset: 1, metadata: '' }]
      assert.deepEqual(await waiting, all)
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 9, metadata: 'never' }])
      await writer.abort()
      assert.deepEqual(await commits(), all)
      const besides = [{ topic, partition: 1, offset: 5 }]
      await Promise.all([writer.send([h.numbered(topic, 1, 0, 2)]), writer.sendOffsets(group, besides)])
      await writer.commit()
      assert.equal((await commits())[1]!.offset, 5)
      await seen(h, topic, 1, ['1:0', '1:1'])
    })

    test('what is not committed yet is not seen, nor is what others have written behind it', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('open')
      const writer = await fenced(h, h.name('id'))
      await h.writeNumbered(topic, 0, 0, 1)
      await writer.send([h.numbered(topic, 0, 1, 2)])
      await h.writeNumbered(topic, 0, 3, 1)
      assert.equal(await stable(h, topic), 1)
      assert.equal((await h.port.admin.offsets(topic, 'written'))[0]!.end, 4)
      assert.deepEqual(await valuesOf(h, topic), ['0:0'])
      const member = h.member(h.name('group'), [{ topic, start: 'earliest' }])
      await member.member.start()
      await features.eventually('the member has what is stable', () => member.records.length > 0)
      assert.deepEqual(member.values, ['0:0'])
      assert.equal(member.blocks[0]!.block.endOffset, 1, 'the end is the last stable offset')
      await writer.commit()
      await features.eventually('the member has all', () => member.records.length === 4)
      assert.deepEqual(member.values, ['0:0', '0:1', '0:2', '0:3'])
    })

    test('an aborted transaction is never seen; reading goes over it and over markers', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('aborted')
      const writer = await fenced(h, h.name('id'))
      await writer.send([h.numbered(topic, 0, 0, 3)])
      await writer.abort()
      await writer.send([h.numbered(topic, 0, 3, 1)])
      await writer.commit()
      await writer.send([h.numbered(topic, 0, 4, 1)])
      await writer.abort()
      // Three batches of 3, 1 and 1 records, and a marker behind each.
      await features.eventually('all is decided', async () => (await stable(h, topic)) === 8)
      assert.deepEqual(await valuesOf(h, topic), ['0:3'])
      assert.deepEqual(await h.scan(topic, 0, 5), [], 'nothing is left behind it')
      const member = h.member(h.name('group'), [{ topic, start: 'earliest' }])
      member.mayHaveGaps = true
      await member.member.start()
      await features.eventually('the end is reached', () => member.blocks.at(-1)?.block.nextOffset === 8)
      assert.deepEqual(member.values, ['0:3'])
    })

    test('aborted transactions of two ids that overlap on one partition leave only what was committed', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('overlap')
      const [a, b] = [await fenced(h, h.name('a')), await fenced(h, h.name('b'))]
      const send = (writer: TransactionalWriter, value: string) =>
        // The key looks like that of an abort marker.
        writer.send([batchOf(topic, 0, [{ key: Buffer.alloc(4), value }], features.wallTime())])
      await send(a, 'a0')
      await send(b, 'b0')
      await send(a, 'a1')
      await b.abort()
      await send(a, 'a2')
      await send(b, 'b1')
      await a.abort()
      await send(a, 'a3')
      await b.commit()
      await send(b, 'b2')
      await a.commit()
      await b.abort()
      await seen(h, topic, 0, ['b1', 'a3'])
      await features.eventually('all is decided', async () => (await stable(h, topic)) === 12)
      // Every place to begin at: also inside of transactions that are aborted further on.
      const all = await h.scan(topic, 0)
      for (let from = 0; from < 12; from++) {
        const offsets = (await h.scan(topic, 0, from)).map(({ offset }) => offset)
        const expected = all.map(({ offset }) => offset).filter(offset => offset >= from)
        assert.deepEqual(offsets, expected, `from ${from}`)
      }
    })

    test('many transactions, one right behind the other, come in order', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('many'), h.name('group')]
      const writer = await fenced(h, h.name('id'))
      for (let i = 0; i < 20; i++) {
        await writer.send([h.numbered(topic, 0, i, 1)])
        await writer.sendOffsets(group, [{ topic, partition: 0, offset: i + 1 }])
        await (i % 5 === 4 ? writer.abort() : writer.commit())
      }
      const kept = Array.from({ length: 20 }, (_, i) => i).filter(i => i % 5 !== 4)
      await seen(
        h,
        topic,
        0,
        kept.map(i => `0:${i}`),
      )
      await features.eventually('its offset', async () => (await h.port.admin.committed(group, topic))[0] === 19)
    })

    test('after a refused batch a transaction can only be aborted; the next one is written as any other', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('refused', 2, { 'max.message.bytes': '2000' })
      const writer = await fenced(h, h.name('id'))
      const large = () => batchOf(topic, 1, [{ value: Buffer.alloc(3000) }], features.wallTime())
      await writer.send([h.numbered(topic, 0, 0, 1), h.numbered(topic, 1, 0, 1)])
      await writer.commit()
      const results = await writer.send([h.numbered(topic, 0, 90, 2), large()])
      assert.equal(results[0]!.outcome, 'acknowledged')
      assert.ok(results[1]!.outcome === 'refused' && /MESSAGE_TOO_LARGE/.test(results[1]!.reason))
      await assert.rejects(writer.commit())
      // The search for what is refused goes on inside the same transaction.
      assert.equal((await writer.send([large()]))[0]!.outcome, 'refused')
      assert.equal((await writer.send([h.numbered(topic, 1, 90, 1)]))[0]!.outcome, 'acknowledged')
      await writer.abort()
      await writer.send([h.numbered(topic, 0, 1, 1), h.numbered(topic, 1, 1, 1)])
      await writer.commit()
      await seen(h, topic, 0, ['0:0', '0:1'])
      await seen(h, topic, 1, ['1:0', '1:1'])
    })

    test('offsets are committed with the transaction, or not at all', async t => {
      const h = await Harness.open(features, t)
      const [topic, other, group] = [await h.topic('offsets', 2), await h.topic('offsets'), h.name('group')]
      const committed = (name = topic) => h.port.admin.committed(group, name)
      const writer = await fenced(h, h.name('id'))
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 3 }])
      assert.deepEqual(await committed(), [-1, -1], 'not before the commit')
      await writer.abort()
      await writer.fence()
      assert.deepEqual(await committed(), [-1, -1], 'not after an abort')
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 4 }])
      await writer.send([h.numbered(topic, 0, 0, 1)])
      await writer.sendOffsets(group, [
        { topic, partition: 0, offset: 5 },
        { topic: other, partition: 0, offset: 7 },
      ])
      await writer.commit()
      await writer.fence()
      assert.deepEqual(await committed(), [5, -1])
      assert.deepEqual(await committed(other), [7])
      await writer.sendOffsets(group, [{ topic, partition: 1, offset: 1 }])
      await writer.commit()
      await features.eventually('a transaction of offsets alone', async () => (await committed())[1] === 1)
    })

    test('commit and abort do nothing when nothing is open', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('nothing')
      const writer = await fenced(h, h.name('id'))
      await writer.commit()
      await writer.abort()
      await writer.send([h.numbered(topic, 0, 0, 1)])
      await writer.commit()
      await writer.commit()
      await writer.abort()
      await writer.send([h.numbered(topic, 0, 1, 1)])
      await writer.abort()
      await writer.commit()
      await features.eventually('all is decided', async () => (await stable(h, topic)) === 4)
      assert.deepEqual(await valuesOf(h, topic), ['0:0'])
    })
  })
}
