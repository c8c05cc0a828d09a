// What is pending in a transaction is told as such where the broker can tell it, and only to who asks for it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { fetchCommitted } from '../../src/kafkajs/group-offsets.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { offsetFetch } from '../../src/kafkajs/offset-fetch.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()
const shared = { clientId: 'offsets', logger: silentLogger, clock: systemClock, random: Math.random }

describe('asking for committed offsets', () => {
  it('goes in version 7 to who speaks it, and in a version of kafkajs to older brokers', () => {
    const args = { groupId: 'g', topics: [] }
    const versionFor = (max: number) => {
      const best = Math.max(...offsetFetch.versions.map(Number))
      return offsetFetch.protocol({ version: Math.min(max, best) })(args).request.apiVersion
    }
    assert.deepEqual([1, 4, 5, 6, 7, 9].map(versionFor), [1, 4, 4, 4, 7, 7])
  })

  it('waits for a transaction where it is to be stable, and tells the offset of before where not', {
    skip,
  }, async t => {
    const features = { name: 'real brokers', prefix, heartbeatIntervalMs: 100, wallTime: () => Date.now(), eventually }
    const h = await Harness.open({ ...features, connect: () => createKafkaPort({ ...shared, brokers }) }, t)
    const settings = { connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000, logger: kafkajsLogger(silentLogger) }
    const connection = { clientId: 'offsets', ssl: undefined, sasl: undefined, ...settings }
    const cluster = new Cluster({ ...shared, brokers, metadataMaxAgeMs: 30_000, connection })
    t.after(() => cluster.close())
    // A name as long as lengths of two bytes in the request.
    const [topic, group, id] = [await h.topic('in', 3), h.name('group'.repeat(30)), h.name('id')]
    const committed = async (requireStable: boolean, ...partitions: readonly number[]) => {
      const offsets = await fetchCommitted(cluster, 'p', group, new Map([[topic, partitions]]), { requireStable })
      return partitions.map(partition => offsets.get(`${topic}/${partition}`))
    }
    const writer = h.transactional(id)
    await writer.fence()
    await writer.sendOffsets(group, [{ topic, partition: 0, offset: 3 }])
    await writer.commit()
    await eventually('it is committed', async () => (await committed(false, 0))[0] === 3)
    await writer.sendOffsets(group, [
      { topic, partition: 0, offset: 2 ** 40 },
      { topic, partition: 1, offset: 7 },
    ])
    assert.deepEqual(await committed(false, 0, 1, 2), [3, -1, -1])
    for (const partition of [0, 1])
      await assert.rejects(committed(true, partition), /BROKER_UNAVAILABLE.*UNSTABLE_OFFSET_COMMIT/)
    assert.deepEqual(await committed(true, 2), [-1], 'nothing of it is pending')
    await writer.commit()
    await eventually('it is stable', async () => (await committed(true, 0, 1, 2).catch(() => [])).length > 0)
    assert.deepEqual(await committed(true, 0, 1, 2), [2 ** 40, 7, -1])
    assert.deepEqual(await h.port.admin.committed(group, topic), [2 ** 40, 7, -1])
  })
})
