import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness, type TestMember } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()
const PARTITIONS = 6

describe('members that join and leave while records flow', { skip }, () => {
  const features = {
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({
        brokers,
        clientId: 'rebalance',
        logger: silentLogger,
        clock: systemClock,
        random: Math.random,
      }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }

  it('every record comes once, and only what a third member takes and leaves moves', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('flow', PARTITIONS)
    const group = h.name('group')
    const members: TestMember[] = []
    const join = async () => {
      const member = h.member(group, [{ topic, start: 'earliest' }], { maxBytesPerPartition: 500 })
      member.drain = async () => void (await member.commitAll())
      members.push(member)
      await member.member.start()
      return member
    }
    const shares =
      (...sizes: number[]) =>
      () =>
        members
          .map(member => member.owned.size)
          .sort()
          .join() === sizes.sort().join()

    let written = 0
    let writing = true
    const write = async () => {
      while (writing) {
        await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => h.writeNumbered(topic, p, written, 5)))
        written += 5
      }
    }
    const first = await join()
    const flow = write()
    const second = await join()
    await eventually('two share', shares(3, 3))
    const events = () => [first, second].map(member => member.log.filter(line => /^(lost|assigned)/.test(line)).length)
    const before = events()
    const third = await join()
    await eventually('three share', shares(2, 2, 2))
    assert.deepEqual(
      events().map((count, i) => count - before[i]!),
      [1, 1],
      'each of the two gave one partition and kept the others',
    )
    const kept = [first, second].map(member => new Map(member.owned))
    await eventually('the third reads', () => third.records.length > 50)
    // As an application stops: drain, then leave.
    for (const partition of third.owned.values()) third.member.pause(partition)
    await third.commitAll()
    await third.member.stop()
    await eventually('two share again', shares(0, 3, 3))
    for (const [i, member] of [first, second].entries()) {
      for (const [key, owned] of kept[i]!) assert.equal(member.owned.get(key)?.epoch, owned.epoch, `${key} stayed`)
    }
    writing = false
    await flow
    const expected = written * PARTITIONS
    const count = () => members.reduce((sum, member) => sum + member.records.length, 0)
    await eventually('everything came', () => count() >= expected)
    assert.equal(count(), expected)
    assert.equal(new Set(members.flatMap(member => member.values)).size, expected)
  })
})
