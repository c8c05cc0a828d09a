import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { Harness, type PortFeatures, type TestMember, withCode } from './port-harness.ts'

export function kafkaTakeoverContract(features: PortFeatures): void {
  suite(`Kafka port, taking partitions over: ${features.name}`, () => {
    const source = (topic: string) => [{ topic, start: 'earliest' as const }]
    const outage = () => new RunInferenceError('BROKER_UNAVAILABLE', 'says the test')
    const once = (members: readonly TestMember[], partitions: number) => () => {
      const keys = members.flatMap(member => [...member.owned.keys()])
      const isFair = members.every(({ owned }) => owned.size > 0)
      return isFair && keys.length === partitions && new Set(keys).size === partitions
    }
    const withoutStates = (member: TestMember) => member.log.filter(line => !line.startsWith('state:'))

    test('what others commit until beforeAssigned has resolved is where the partition starts', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('start'), h.name('group'), h.name('id')]
      await h.writeNumbered(topic, 0, 0, 10)
      const other = h.transactional(id)
      await other.fence()
      await other.sendOffsets(group, [{ topic, partition: 0, offset: 4 }])
      const member = h.member(group, source(topic), {}, async () => {
        await other.commit()
        await h.transactional(id).fence()
      })
      await member.member.start()
      await features.eventually('the rest was read', () => member.records.length === 6)
      assert.equal(member.owned.get(`${topic}/0`)!.position, 4)
      assert.equal(member.values[0], '0:4')
      assert.deepEqual(withoutStates(member), [`before:${topic}/0`, `assigned:${topic}/0`])
    })

    test('what a holder has not committed by then never is', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('zombie'), h.name('group'), h.name('id')]
      await h.writeNumbered(topic, 0, 0, 10)
      const zombie = h.transactional(id)
      await zombie.fence()
      await zombie.sendOffsets(group, [{ topic, partition: 0, offset: 4 }])
      await zombie.commit()
      const member = h.member(group, source(topic), {}, () => h.transactional(id).fence())
      await zombie.sendOffsets(group, [{ topic, partition: 0, offset: 9 }])
      await member.member.start()
      await assert.rejects(zombie.commit(), withCode('TRANSACTION_FENCED'))
      await features.eventually('the rest was read', () => member.records.length === 6)
      assert.deepEqual(await h.port.admin.committed(group, topic), [4])
    })

    test('nothing is assigned, read or told as joined before beforeAssigned has resolved', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('wait', 2)
      await h.writeNumbered(topic, 0, 0, 1)
      const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
      const member = h.member(h.name('group'), source(topic), {}, () => mayGoOn)
      const started = member.member.start()
      await features.eventually('it is asked', () => member.log.some(line => line.startsWith('before:')))
      assert.equal(member.owned.size, 0)
      assert.ok(!member.log.includes('state:joined'))
      goOn()
      await started
      assert.equal(member.owned.size, 2)
      assert.deepEqual(
        withoutStates(member).map(line => line.split(':')[0]),
        ['before', 'assigned', 'assigned'],
      )
      await features.eventually('it is told as joined', () => member.log.includes('state:joined'))
    })

    test('a retriable rejection is tried again; another one rejects the start', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('again')
      let calls = 0
      const member = h.member(h.name('group'), source(topic), {}, async () => {
        if (++calls < 3) throw outage()
      })
      await member.member.start()
      assert.equal(calls, 3)
      assert.equal(member.owned.size, 1)
      const other = h.member(h.name('group'), source(topic), {}, async () => {
        throw new RunInferenceError('AUTHORISATION', 'says the test')
      })
      await assert.rejects(other.member.start(), withCode('AUTHORISATION'))
    })

    test('in a rebalance only what is new is asked about; what stays is read meanwhile', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('stays', 4), h.name('group')]
      const first = h.member(group, source(topic), {}, async () => {})
      const second = h.member(group, source(topic), {}, async () => {})
      await first.member.start()
      await second.member.start()
      await features.eventually('both have two', once([first, second], 4))
      const kept = new Map(first.owned)
      await second.member.stop()
      await features.eventually('the first has all', () => first.owned.size === 4, 9_000)
      for (const [key, { epoch }] of kept) assert.equal(first.owned.get(key)!.epoch, epoch)
      const asked = first.log.filter(line => line.startsWith('before:')).at(-1)!
      assert.equal(asked.split(',').length, 2)
      for (const key of kept.keys()) assert.ok(!asked.includes(key))
      for (const partition of [0, 1, 2, 3]) await h.writeNumbered(topic, partition, 0, 1)
      await features.eventually('all came', () => first.records.length === 4)
    })

    test('restart: lost at once, then asked about, then assigned from what is committed, under a new epoch', async t => {
      const h = await Harness.open(features, t)
      const [topic, group, id] = [await h.topic('restart', 2), h.name('group'), h.name('id')]
      await h.writeNumbered(topic, 0, 0, 10)
      await h.writeNumbered(topic, 1, 0, 10)
      const writer = h.transactional(id)
      const member = h.member(group, source(topic), {}, () => writer.fence())
      await member.member.start()
      await features.eventually('all was read', () => member.records.length === 20)
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 3 }])
      await writer.commit()
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: 7 }])
      const before = new Map(member.owned)
      const [own, other] = [before.get(`${topic}/0`)!, before.get(`${topic}/1`)!]
      member.log.length = 0
      member.member.restart(own)
      assert.deepEqual(withoutStates(member), [`lost:${topic}/0`], 'lost at once')
      await features.eventually('it is back', () => member.owned.size === 2)
      assert.deepEqual(withoutStates(member), [`lost:${topic}/0`, `before:${topic}/0`, `assigned:${topic}/0`])
      assert.equal(member.owned.get(`${topic}/0`)!.position, 3)
      assert.equal(member.owned.get(`${topic}/1`)!.epoch, other.epoch, 'the other one stays as it is')
      await features.eventually('it is read again', () => member.records.length === 27)
      assert.equal(member.values[20], '0:3')
      await h.writeNumbered(topic, 1, 10, 1)
      await features.eventually('the other one goes on', () => member.values.includes('1:10'))
    })

    test('restart of an epoch that is over does nothing, also twice in a row', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('over')
      const member = h.member(h.name('group'), source(topic), {}, async () => {})
      await member.member.start()
      const [first] = member.owned.values()
      member.member.restart({ ...first!, epoch: first!.epoch + 1 })
      member.member.restart({ topic, partition: 5, epoch: first!.epoch })
      assert.equal(member.owned.size, 1)
      member.member.restart(first!)
      member.member.restart(first!)
      await features.eventually('it is back', () => member.owned.size === 1)
      member.member.restart(first!)
      assert.equal(member.owned.size, 1)
      const [second] = member.owned.values()
      assert.deepEqual(await member.member.commit([{ ...first!, offset: 0 }]), [false])
      assert.deepEqual(await member.member.commit([{ ...second!, offset: 0 }]), [true])
      await member.member.stop()
      member.member.restart(second!)
      const taken = withoutStates(member).filter(line => line.startsWith('assigned:'))
      assert.equal(taken.length, 2)
    })

    test('restart works without beforeAssigned too', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('plain')
      await h.writeNumbered(topic, 0, 0, 3)
      const member = h.member(h.name('group'), source(topic))
      await member.member.start()
      await features.eventually('all was read', () => member.records.length === 3)
      await member.member.commit([{ ...[...member.owned.values()][0]!, offset: 2 }])
      member.member.restart([...member.owned.values()][0]!)
      await features.eventually('the rest is read again', () => member.records.length === 4)
      assert.equal(member.values[3], '0:2')
    })

    test('a member whose restarts are under way when the group rebalances: everything is owned once', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('meanwhile', 6), h.name('group')]
      const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
      let holds = false
      const first = h.member(group, source(topic), {}, () => (holds ? mayGoOn : Promise.resolve()))
      first.drain = async () => void (await first.commitAll())
      await first.member.start()
      holds = true
      for (const owned of [...first.owned.values()].slice(0, 4)) first.member.restart(owned)
      await features.eventually('it is asked', () => first.log.filter(line => line.startsWith('before:')).length > 1)
      const second = h.member(group, source(topic), {}, async () => {})
      const started = second.member.start()
      await features.eventually('the second has its share', () => second.owned.size === 3)
      goOn()
      await started
      await features.eventually('everything is owned once', once([first, second], 6))
      for (let partition = 0; partition < 6; partition++) await h.writeNumbered(topic, partition, 0, 5)
      await features.eventually('all came', () => first.records.length + second.records.length >= 30)
      assert.equal(new Set([...first.values, ...second.values]).size, 30)
      assert.equal(first.records.length + second.records.length, 30, 'nothing came twice')
    })

    test('restarts again and again while members come and go: everything is owned once, and read to its end', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('storm', 4), h.name('group')]
      const members: TestMember[] = []
      let left = 30
      for (let i = 0; i < 3; i++) {
        const member = h.member(group, source(topic), {}, async () => {
          if (left-- <= 0) return
          for (const each of members) for (const owned of each.owned.values()) each.member.restart(owned)
        })
        members.push(member)
        await member.member.start()
        for (const owned of [...member.owned.values()]) member.member.restart(owned)
      }
      await members[0]!.member.stop()
      const present = members.slice(1)
      for (let partition = 0; partition < 4; partition++) await h.writeNumbered(topic, partition, 0, 5)
      await features.eventually('everything is owned once', once(present, 4))
      await features.eventually('all came', () => new Set(present.flatMap(each => each.values)).size === 20)
    })
  })
}
