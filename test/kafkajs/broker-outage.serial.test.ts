import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness } from '../contract/port-harness.ts'
import { ownCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const cluster = await ownCluster({ brokers: 1 })
const PARTITIONS = 3

describe('a broker that is killed in mid-run and comes back', { skip: cluster.skip }, () => {
  after(() => cluster.stop())
  const features = {
    name: 'real broker',
    prefix: 'outage',
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({
        brokers: cluster.brokers,
        clientId: 'outage',
        logger: silentLogger,
        clock: systemClock,
        random: Math.random,
      }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }

  it('W2 K4 R2 nothing is lost and nothing is twice, and nobody had to help', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('numbers', PARTITIONS)
    const group = h.name('group')
    // Longer than the broker takes to come back, on a busy machine too: the member must not lose its session.
    const reader = h.member(group, [{ topic, start: 'earliest' }], { sessionTimeoutMs: 45_000 })
    reader.drain = async () => void (await reader.commitAll())
    await reader.member.start()
    const epochs = [...reader.owned.values()].map(owned => owned.epoch)

    const written = new Array<number>(PARTITIONS).fill(0)
    let writing = true
    const write = async (partition: number) => {
      while (writing) {
        await h.writeNumbered(topic, partition, written[partition]!, 7)
        written[partition]! += 7
      }
    }
    const flow = Promise.all(written.map((_, partition) => write(partition)))
    await eventually('records flow', () => reader.records.length > 500)

    await cluster.killBroker(0)
    await eventually('the member says so', () => reader.log.includes('state:degraded'))
    const commit = reader.commitAll()
    await cluster.startBroker(0)
    const before = reader.records.length
    await eventually('records flow again', () => reader.records.length > before + 500, 30_000)
    assert.deepEqual(
      await commit,
      written.map(() => true),
      'the commit of the outage was made',
    )
    await eventually('the member says so', () => reader.log.at(-1) === 'state:joined', 30_000)

    writing = false
    await flow
    const total = written.reduce((sum, count) => sum + count, 0)
    await eventually('all came', () => reader.records.length >= total)
    for (const [partition, count] of written.entries()) {
      const log = (await h.scan(topic, partition)).map(record => String(record.value))
      assert.deepEqual(
        log,
        Array.from({ length: count }, (_, i) => `${partition}:${i}`),
        'what the log holds',
      )
    }
    assert.equal(reader.records.length, total, 'each record was read once')
    assert.deepEqual(
      [...reader.owned.values()].map(owned => owned.epoch),
      epochs,
      'every partition stayed',
    )
    await reader.commitAll()
    assert.deepEqual(await h.port.admin.committed(group, topic), written)
  })
})
