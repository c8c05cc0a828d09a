import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()

describe('the reader on a real broker', { skip }, () => {
  const features = {
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({ brokers, clientId: 'resume', logger: silentLogger, clock: systemClock, random: Math.random }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }
  const LONG_POLL_MS = 8_000

  it('R1 fetches a resumed partition while the long poll of the others goes on', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('resume', 2)
    const reader = h.member(h.name('group'), [{ topic, start: 'earliest' }], { maxFetchWaitMs: LONG_POLL_MS })
    const hot = { topic, partition: 0 }
    reader.onBlock = () => reader.member.pause(hot)
    await h.writeNumbered(topic, 0, 0, 1)
    await reader.member.start()
    for (let i = 1; i < 20; i++) {
      await eventually(`record ${i - 1} came`, () => reader.records.length === i)
      await h.writeNumbered(topic, 0, i, 1)
      const resumedAt = performance.now()
      reader.member.resume(hot)
      await eventually(`record ${i} came`, () => reader.records.length === i + 1)
      const tookMs = performance.now() - resumedAt
      assert.ok(tookMs < LONG_POLL_MS / 4, `after ${tookMs} ms, in a long poll of ${LONG_POLL_MS} ms`)
    }
  })

  it('R1 hears of a record in a partition that was resumed with nothing to read, without waiting for the poll', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('quiet', 2)
    const reader = h.member(h.name('group'), [{ topic, start: 'earliest' }], { maxFetchWaitMs: LONG_POLL_MS })
    const hot = { topic, partition: 0 }
    await h.writeNumbered(topic, 0, 0, 1)
    reader.onBlock = () => reader.member.pause(hot)
    await reader.member.start()
    await eventually('the first came', () => reader.records.length === 1)
    reader.onBlock = () => {}
    reader.member.resume(hot)
    for (let i = 1; i < 5; i++) {
      const writtenAt = performance.now()
      await h.writeNumbered(topic, 0, i, 1)
      await eventually(`record ${i} came`, () => reader.records.length === i + 1)
      assert.ok(performance.now() - writtenAt < LONG_POLL_MS / 4)
    }
  })
})
