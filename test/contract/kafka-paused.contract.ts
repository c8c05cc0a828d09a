import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Harness, type PortFeatures } from './port-harness.ts'

/** Partitions that are paused, with answers on their way or held, when the group changes. */
export function kafkaPausedContract(features: PortFeatures): void {
  suite(`Kafka port, rebalance of paused partitions: ${features.name}`, () => {
    test('what was paused and taken away is read whole by who has it next, and again when it comes back; what stays is paused', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('paused', 2)
      const group = h.name('group')
      const source = [{ topic, start: 'earliest' as const }]
      const first = h.member(group, source)
      await first.member.start()
      const keys = [...first.owned.keys()]
      // From its first block on each partition is paused: what is behind is held, or dropped on its way.
      first.onBlock = block => first.member.pause(block)
      for (const partition of [0, 1]) {
        await h.writeNumbered(topic, partition, 0, 1)
        await features.eventually('the first record came', () => first.values.includes(`${partition}:0`))
        for (let from = 1; from < 10; from += 3) await h.writeNumbered(topic, partition, from, 3)
      }
      assert.deepEqual(first.values.toSorted(), ['0:0', '1:0'])

      const second = h.member(group, source)
      await second.member.start()
      await features.eventually('each has one', () => first.owned.size === 1 && second.owned.size === 1)
      const moved = [...second.owned.values()][0]!.partition
      const all = Array.from({ length: 10 }, (_, i) => `${moved}:${i}`)
      await features.eventually('the next owner has read all', () => second.records.length === 10)
      assert.deepEqual(second.values, all, 'nothing was committed, and nothing is skipped')
      assert.deepEqual(first.values.toSorted(), ['0:0', '1:0'], 'what stayed is paused all the while')

      first.onBlock = () => {}
      await second.member.stop()
      await features.eventually('the first has both again', () => first.owned.size === 2)
      await features.eventually('the returned one is read whole', () => first.records.length === 12)
      const returned = first.values.filter(value => value.startsWith(`${moved}:`))
      assert.deepEqual(returned, [all[0], ...all], 'a new epoch is not paused, and begins at what is committed')

      const stayed = 1 - moved
      first.member.resume({ topic, partition: stayed })
      await features.eventually('the resumed one goes on', () => first.records.length === 21)
      const kept = first.values.filter(value => value.startsWith(`${stayed}:`))
      assert.deepEqual(
        kept,
        Array.from({ length: 10 }, (_, i) => `${stayed}:${i}`),
        'without a gap, and nothing twice',
      )
      assert.equal(first.log.filter(line => line === `lost:${topic}/${stayed}`).length, 0)
      assert.equal(keys.length, 2)
    })
  })
}
