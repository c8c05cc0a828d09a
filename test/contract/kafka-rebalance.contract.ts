import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Harness, type PortFeatures, type TestMember } from './port-harness.ts'

export function kafkaRebalanceContract(features: PortFeatures): void {
  suite(`Kafka port, rebalance: ${features.name}`, () => {
    const source = (topic: string) => [{ topic, start: 'earliest' as const }]
    const shared = (members: readonly TestMember[], partitions: number) => () => {
      const keys = members.flatMap(member => [...member.owned.keys()])
      const sizes = members.map(member => member.owned.size)
      return (
        keys.length === partitions && new Set(keys).size === partitions && Math.max(...sizes) - Math.min(...sizes) <= 1
      )
    }

    test('a second member gets its share; what stays with the first keeps epoch and position', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('share', 4)
      const group = h.name('group')
      for (const partition of [0, 1, 2, 3]) await h.writeNumbered(topic, partition, 0, 10)
      const first = h.member(group, source(topic))
      first.drain = async () => void (await first.commitAll())
      await first.member.start()
      await features.eventually('the first read all', () => first.records.length === 40)
      const before = new Map(first.owned)
      const second = h.member(group, source(topic))
      second.drain = async () => void (await second.commitAll())
      await second.member.start()
      await features.eventually('each has two', shared([first, second], 4))
      for (const [key, owned] of first.owned) assert.equal(owned.epoch, before.get(key)!.epoch)
      const lost = first.log.filter(line => line.startsWith('lost:'))
      assert.equal(lost.length, 2)
      assert.equal(first.log.filter(line => line.startsWith('assigned:')).length, 4, 'nothing was assigned again')
      for (const partition of [0, 1, 2, 3]) await h.writeNumbered(topic, partition, 10, 10)
      await features.eventually('all came', () => first.records.length + second.records.length >= 80)
      const values = [...first.values, ...second.values]
      assert.equal(new Set(values).size, 80)
      assert.equal(values.length, 80, 'nothing came twice: it was committed in the drain')
    })

    test('events of a rebalance come in order: rebalancing, drain, lost, assigned, joined', async t => {
      const h = await Harness.open(features, t)
      const [mine, theirs] = [await h.topic('mine', 2), await h.topic('theirs', 2)]
      const group = h.name('group')
      const first = h.member(group, [...source(mine), ...source(theirs)])
      await first.member.start()
      first.log.length = 0
      const second = h.member(group, [...source(mine), ...source(theirs)])
      await second.member.start()
      await features.eventually('each has two', shared([first, second], 4))
      await features.eventually('the first joined', () => first.log.includes('state:joined'))
      const kinds = first.log.map(line => line.replace(/^(lost|assigned):.*/, '$1'))
      assert.deepEqual(kinds.slice(0, 2), ['state:rebalancing', 'rebalance'])
      const positions = ['rebalance', 'lost', 'state:joined'].map(kind => kinds.indexOf(kind))
      assert.deepEqual(
        positions,
        positions.toSorted((a, b) => a - b),
      )
      const assigned = kinds.indexOf('assigned')
      assert.ok(assigned < 0 || assigned > kinds.lastIndexOf('lost'))
    })

    test('no block comes between the notice of a rebalance and the end of the drain', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('quiet', 2)
      const group = h.name('group')
      const first = h.member(group, source(topic))
      let during = 0
      let drained = false
      first.drain = async () => {
        const before = first.records.length
        for (const partition of [0, 1]) await h.writeNumbered(topic, partition, 0, 5)
        await h.scan(topic, 1)
        during = first.records.length - before
        drained = true
      }
      await first.member.start()
      const second = h.member(group, source(topic))
      await second.member.start()
      await features.eventually('all came', () => first.records.length + second.records.length === 10)
      assert.ok(drained)
      assert.equal(during, 0)
    })

    test('commits of the drain count, also of what is about to go', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('drain', 2)
      const group = h.name('group')
      for (const partition of [0, 1]) await h.writeNumbered(topic, partition, 0, 3)
      const first = h.member(group, source(topic))
      let outcome: readonly boolean[] = []
      first.drain = async () => {
        if (outcome.length === 0) outcome = await first.commitAll()
      }
      await first.member.start()
      await features.eventually('all came', () => first.records.length === 6)
      const second = h.member(group, source(topic))
      await second.member.start()
      await features.eventually('each has one', shared([first, second], 2))
      assert.deepEqual(outcome, [true, true])
      assert.deepEqual(await h.port.admin.committed(group, topic), [3, 3])
      assert.equal(second.records.length, 0)
    })

    test('after a partition is lost its epoch commits nothing', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('late', 2)
      const group = h.name('group')
      const first = h.member(group, source(topic))
      await first.member.start()
      const before = [...first.owned.values()]
      const second = h.member(group, source(topic))
      await second.member.start()
      await features.eventually('each has one', shared([first, second], 2))
      const outcome = await first.member.commit(
        before.map(({ topic, partition, epoch }) => ({ topic, partition, epoch, offset: 0 })),
      )
      assert.deepEqual(
        outcome,
        before.map(({ topic, partition }) => first.owned.has(`${topic}/${partition}`)),
      )
      assert.deepEqual(outcome.toSorted(), [false, true])
    })

    test('while it joins nothing may be sent: others may own by then what it knows as its own', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('joining', 2)
      const group = h.name('group')
      const [first, second] = [h.member(group, source(topic)), h.member(group, source(topic))]
      await first.member.start()
      await second.member.start()
      await features.eventually('each has one', shared([first, second], 2))
      assert.deepEqual([first.member.alive(), second.member.alive()], [true, true])
      const slow = Promise.withResolvers<void>()
      second.drain = () => slow.promise
      const third = h.member(group, source(topic)).member.start()
      await features.eventually('the first waits for the second', () => !first.member.alive())
      assert.equal(first.owned.size, 1)
      assert.ok(second.member.alive(), 'what is drained may be sent')
      slow.resolve()
      await features.eventually('they go on', () => first.member.alive() && second.member.alive())
      await third
    })

    test('a drain that does not end is given up after its budget', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('budget', 2)
      const group = h.name('group')
      const first = h.member(group, source(topic), { drainBudgetMs: 500 })
      first.drain = () => new Promise(() => {})
      await first.member.start()
      const second = h.member(group, source(topic))
      await second.member.start()
      await features.eventually('each has one', shared([first, second], 2))
    })

    test('who leaves gives its partitions to those who stay, soon', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('leave', 3)
      const group = h.name('group')
      const first = h.member(group, source(topic))
      const second = h.member(group, source(topic))
      await first.member.start()
      await second.member.start()
      await features.eventually('both have some', shared([first, second], 3))
      await second.member.stop()
      await features.eventually('the first has all', () => first.owned.size === 3, 9_000)
      await h.writeNumbered(topic, 0, 0, 1)
      await h.writeNumbered(topic, 1, 0, 1)
      await h.writeNumbered(topic, 2, 0, 1)
      await features.eventually('all came', () => first.records.length === 3)
    })

    test('members of one group may read different topics', async t => {
      const h = await Harness.open(features, t)
      const [common, extra] = [await h.topic('common', 2), await h.topic('extra', 2)]
      const group = h.name('group')
      const both = h.member(group, [...source(common), ...source(extra)])
      const one = h.member(group, source(common))
      await both.member.start()
      await one.member.start()
      await features.eventually(
        'everything is shared out',
        () => one.owned.size > 0 && both.owned.size + one.owned.size === 4,
      )
      for (const key of one.owned.keys()) assert.ok(key.startsWith(`${common}/`))
      for (const partition of [0, 1]) assert.ok(both.owned.has(`${extra}/${partition}`))
    })

    test('more members than partitions: who has none starts too, and takes over', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('few', 1)
      const group = h.name('group')
      const first = h.member(group, source(topic))
      const second = h.member(group, source(topic))
      await first.member.start()
      await second.member.start()
      await features.eventually('one has it', () => first.owned.size + second.owned.size === 1)
      const [owner, idle] = first.owned.size === 1 ? [first, second] : [second, first]
      await owner.member.stop()
      await features.eventually('the other has it', () => idle.owned.size === 1, 9_000)
    })
  })
}
