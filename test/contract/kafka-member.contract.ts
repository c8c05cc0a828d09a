import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { StartPosition } from '../../src/kafka/port.ts'
import { Harness, type PortFeatures, withCode } from './port-harness.ts'

export function kafkaMemberContract(features: PortFeatures): void {
  suite(`Kafka port, group member: ${features.name}`, () => {
    const earliest = (topic: string) => [{ topic, start: 'earliest' as const }]

    test('the first assignment is reported before start resolves', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('assigned', 3)
      const reader = h.member(h.name('group'), earliest(topic))
      await reader.member.start()
      assert.deepEqual(
        [...reader.owned.keys()].sort(),
        [0, 1, 2].map(partition => `${topic}/${partition}`),
      )
      await features.eventually('the member says that it has joined', () => reader.log.at(-1) === 'state:joined')
      assert.ok(reader.member.alive())
      assert.ok(reader.member.heartbeatAgeMs() < 10_000)
    })

    test('the coordinator tells who is in a group, under the ids that its members say', async t => {
      const h = await Harness.open(features, t)
      const [topic, group] = [await h.topic('described', 2), h.name('group')]
      const described = () => h.port.admin.describeGroup(group)
      assert.deepEqual(await described(), { state: 'Dead', members: [] })
      const members = [1, 2].map(() => h.member(group, earliest(topic)))
      assert.deepEqual(members[0]!.member.memberIds(), [])
      for (const { member } of members) await member.start()
      await features.eventually('both are in one generation', async () => {
        const { state, members: seen } = await described()
        return state === 'Stable' && seen.length === 2
      })
      const { members: seen } = await described()
      const ids = members.flatMap(({ member }) => member.memberIds()).toSorted()
      assert.deepEqual(seen.map(({ memberId }) => memberId).toSorted(), ids)
      for (const { clientId, host, topics } of seen) {
        assert.ok(clientId !== '' && host.startsWith('/'), `${clientId} ${host}`)
        assert.deepEqual(topics, [topic])
      }
      const given = seen.flatMap(({ partitions }) => partitions.map(each => `${each.topic}/${each.partition}`))
      assert.deepEqual(given.toSorted(), [`${topic}/0`, `${topic}/1`])
      for (const { member } of members) await member.stop()
      assert.deepEqual(
        members.flatMap(({ member }) => member.memberIds()),
        [],
      )
      await features.eventually('nobody is there', async () => (await described()).state === 'Empty')
      assert.deepEqual((await described()).members, [])
    })

    test('every record of every partition comes once, in offset order, without gaps', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('all', 3)
      for (let batch = 0; batch < 10; batch++) {
        for (const partition of [0, 1, 2]) await h.writeNumbered(topic, partition, batch * 20, 20)
      }
      const reader = h.member(h.name('group'), earliest(topic), { maxBytesPerPartition: 1_000 })
      await reader.member.start()
      await features.eventually('all records came', () => reader.records.length >= 600)
      // What is written while the member reads comes too.
      for (const partition of [0, 1, 2]) await h.writeNumbered(topic, partition, 200, 20)
      await features.eventually('the new records came', () => reader.records.length >= 660)
      for (const partition of [0, 1, 2]) {
        const values = reader.records.filter(record => record.partition === partition).map(({ value }) => String(value))
        assert.deepEqual(
          values,
          Array.from({ length: 220 }, (_, i) => `${partition}:${i}`),
        )
      }
      assert.equal(reader.blocks.at(-1)!.block.endOffset, 220)
    })

    test('a paused partition is silent, and goes on without a gap when it is resumed', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('paused', 2)
      const reader = h.member(h.name('group'), earliest(topic))
      reader.onBlock = block => block.partition === 0 && reader.member.pause({ topic, partition: 0 })
      await reader.member.start()
      await h.writeNumbered(topic, 0, 0, 1)
      await features.eventually('the first record came', () => reader.records.length === 1)
      for (let i = 1; i < 5; i++) {
        await h.writeNumbered(topic, 0, i, 1)
        await h.writeNumbered(topic, 1, i, 1)
        await features.eventually(`record ${i} of the other came`, () => reader.values.includes(`1:${i}`))
      }
      assert.equal(reader.records.filter(record => record.partition === 0).length, 1)
      reader.onBlock = () => {}
      reader.member.resume({ topic, partition: 0 })
      await features.eventually('the rest came', () => reader.values.includes('0:4'))
    })

    test('a commit is where the next member of the group starts', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('commit', 2)
      const group = h.name('group')
      await h.writeNumbered(topic, 0, 0, 10)
      const first = h.member(group, earliest(topic))
      await first.member.start()
      const { epoch } = first.owned.get(`${topic}/0`)!
      assert.deepEqual(await first.member.commit([{ topic, partition: 0, epoch, offset: 7 }]), [true])
      assert.deepEqual(await h.port.admin.committed(group, topic), [7, 0])
      await first.member.stop()
      const second = h.member(group, [{ topic, start: 'latest' }])
      await second.member.start()
      await features.eventually('the rest came', () => second.records.length === 3)
      assert.deepEqual(second.values, ['0:7', '0:8', '0:9'])
      assert.equal(second.owned.get(`${topic}/0`)!.position, 7)
    })

    test('an epoch that is over, or never was, commits nothing; the others of the call are committed', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('fence', 2)
      const group = h.name('group')
      await h.writeNumbered(topic, 1, 0, 5)
      const reader = h.member(group, earliest(topic))
      await reader.member.start()
      const [zero, one] = [0, 1].map(partition => reader.owned.get(`${topic}/${partition}`)!)
      const outcome = await reader.member.commit([
        { topic, partition: 0, epoch: zero!.epoch + 1_000, offset: 3 },
        { topic, partition: 1, epoch: one!.epoch, offset: 4 },
      ])
      assert.deepEqual(outcome, [false, true])
      assert.deepEqual(await h.port.admin.committed(group, topic), [0, 4])
    })

    const starts: [name: string, start: (atMs: number) => StartPosition, position: number][] = [
      ['earliest', () => 'earliest', 0],
      ['latest', () => 'latest', 6],
      ['a time', atMs => ({ timestampMs: atMs }), 3],
    ]
    for (const [name, start, position] of starts) {
      test(`start position ${name}: read from there, and committed at once`, async t => {
        const h = await Harness.open(features, t)
        const topic = await h.topic('start')
        const group = h.name('group')
        const now = features.wallTime()
        const old = { value: 'old', timestamp: now - 7_200_000 }
        await h.write(topic, 0, [old, old, old])
        const young = { value: 'young', timestamp: now - 3_600_000 }
        await h.write(topic, 0, [young, young, young])
        const reader = h.member(group, [{ topic, start: start(now - 5_400_000) }])
        await reader.member.start()
        assert.equal(reader.owned.get(`${topic}/0`)!.position, position)
        assert.deepEqual(await h.port.admin.committed(group, topic), [position])
        await h.write(topic, 0, [{ value: 'new' }])
        await features.eventually('the new record came', () => reader.values.includes('new'))
        assert.equal(reader.records.length, 7 - position)
      })
    }

    test('start position none refuses to start without a committed offset', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('none')
      const group = h.name('group')
      const reader = h.member(group, [{ topic, start: 'none' }])
      await assert.rejects(reader.member.start(), withCode('OFFSET_OUT_OF_RANGE'))
      await reader.member.stop()
      const first = h.member(group, earliest(topic))
      await first.member.start()
      await first.member.stop()
      await h.member(group, [{ topic, start: 'none' }]).member.start()
    })

    test('a source that a group reads for the first time has its own start position', async t => {
      const h = await Harness.open(features, t)
      const [known, later] = [await h.topic('known'), await h.topic('later')]
      const group = h.name('group')
      for (const topic of [known, later]) await h.writeNumbered(topic, 0, 0, 4)
      const first = h.member(group, earliest(known))
      await first.member.start()
      await first.member.stop()
      const sources = [known, later].map(topic => ({ topic, start: 'latest' as const }))
      const second = h.member(group, sources)
      await second.member.start()
      assert.equal(second.owned.get(`${known}/0`)!.position, 0)
      assert.equal(second.owned.get(`${later}/0`)!.position, 4)
    })

    test('an offset outside of the log halts the member, and nothing is skipped', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('range')
      const group = h.name('group')
      await h.writeNumbered(topic, 0, 0, 5)
      const first = h.member(group, earliest(topic))
      await first.member.start()
      const { epoch } = first.owned.get(`${topic}/0`)!
      await first.member.commit([{ topic, partition: 0, epoch, offset: 1_000 }])
      await first.member.stop()
      const second = h.member(group, earliest(topic))
      const refused = second.member.start().then(
        () => false,
        error => withCode('OFFSET_OUT_OF_RANGE')(error),
      )
      await features.eventually('the member says so', async () => {
        return second.log.includes('fatal:OFFSET_OUT_OF_RANGE') || refused
      })
      assert.equal(second.records.length, 0)
      assert.deepEqual(await h.port.admin.committed(group, topic), [1_000])
    })

    test('a source that does not exist rejects the start', async t => {
      const h = await Harness.open(features, t)
      const reader = h.member(h.name('group'), earliest(h.name('missing')))
      await assert.rejects(reader.member.start(), withCode('TOPIC_MISSING'))
    })

    test('new partitions are found, and read from their beginning', async t => {
      if (features.addPartitions === undefined) return t.skip(`${features.name} cannot add partitions`)
      const h = await Harness.open(features, t)
      const topic = await h.topic('grown', 1)
      const reader = h.member(h.name('group'), [{ topic, start: 'latest' }])
      await reader.member.start()
      await features.addPartitions(topic, 3)
      for (const partition of [1, 2]) {
        await features.eventually('the partition is there', () =>
          h.writeNumbered(topic, partition, 0, 5).then(
            () => true,
            () => false,
          ),
        )
      }
      await features.eventually(
        'all came',
        () => reader.values.includes('1:4') && reader.values.includes('2:4'),
        60_000,
      )
      assert.ok(reader.values.includes('1:0') && reader.values.includes('2:0'))
      assert.equal(reader.owned.get(`${topic}/1`)!.position, 0)
      assert.ok(!reader.log.some(line => line === `lost:${topic}/0`), 'the partition that was there stayed')
    })

    test('stop loses every partition, and nothing comes after it', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('stopped')
      const reader = h.member(h.name('group'), earliest(topic))
      await reader.member.start()
      await reader.member.stop()
      assert.ok(reader.log.includes(`lost:${topic}/0`))
      await h.writeNumbered(topic, 0, 0, 5)
      assert.equal((await h.scan(topic, 0)).length, 5)
      assert.equal(reader.records.length, 0)
      assert.equal(reader.log.at(-1), 'state:stopped')
      await reader.member.stop()
    })
  })
}
