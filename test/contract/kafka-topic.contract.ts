import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Harness, type PortFeatures, withCode } from './port-harness.ts'

export function kafkaTopicContract(features: PortFeatures): void {
  suite(`Kafka port, admin and scan: ${features.name}`, () => {
    test('topics are created with their settings, and described', async t => {
      const h = await Harness.open(features, t)
      const configs = {
        'cleanup.policy': 'delete',
        'message.timestamp.type': 'LogAppendTime',
        'max.message.bytes': '2000000',
      }
      const name = await h.topic('settings', 3, configs)
      const described = await h.port.admin.describeTopics([name, `${name}-missing`])
      assert.equal(described.length, 1)
      assert.equal(described[0]!.name, name)
      assert.equal(described[0]!.partitions, 3)
      assert.equal(described[0]!.replicationFactor, 1)
      for (const [config, value] of Object.entries(configs)) assert.equal(described[0]!.configs[config], value)
      assert.ok((await h.port.admin.brokerCount()) >= 1)
    })

    test('a topic that exists is left as it is', async t => {
      const h = await Harness.open(features, t)
      const name = await h.topic('left', 2)
      await h.port.admin.createTopics([{ name, partitions: 5, replicationFactor: 1, configs: {} }])
      assert.equal((await h.port.admin.describeTopics([name]))[0]!.partitions, 2)
    })

    test('settings are changed', async t => {
      const h = await Harness.open(features, t)
      const name = await h.topic('changed', 1, { 'max.message.bytes': '3000000' })
      await h.port.admin.setTopicConfigs(name, { 'message.timestamp.type': 'LogAppendTime' })
      await h.features.eventually('the change is seen', async () => {
        const [described] = await h.port.admin.describeTopics([name])
        return described!.configs['message.timestamp.type'] === 'LogAppendTime'
      })
      assert.equal((await h.port.admin.describeTopics([name]))[0]!.configs['max.message.bytes'], '3000000')
    })

    test('deleted topics are gone', async t => {
      const h = await Harness.open(features, t)
      const name = await h.topic('deleted')
      await h.port.admin.deleteTopics([name])
      await h.features.eventually('the topic is gone', async () => {
        return (await h.port.admin.describeTopics([name])).length === 0
      })
    })

    test('topics that are deleted while they are described are left out, and the others told', async t => {
      const h = await Harness.open(features, t)
      const kept = await h.topic('kept')
      for (let round = 0; round < 5; round++) {
        const names = await Promise.all([1, 2, 3, 4].map(i => h.topic(`going-${round}-${i}`)))
        const deleted = h.port.admin.deleteTopics(names)
        for (let i = 0; i < 5; i++) {
          const described = await h.port.admin.describeTopics([...names, kept])
          assert.ok(described.some(({ name }) => name === kept))
        }
        await deleted
      }
    })

    test('offsets tell start and end of each partition, committed tells −1', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('offsets', 2)
      await h.writeNumbered(topic, 1, 0, 3)
      assert.deepEqual(await h.port.admin.offsets(topic), [
        { start: 0, end: 0 },
        { start: 0, end: 3 },
      ])
      assert.deepEqual(await h.port.admin.committed(h.name('nobody'), topic), [-1, -1])
    })

    test('a topic that does not exist is TOPIC_MISSING', async t => {
      const h = await Harness.open(features, t)
      await assert.rejects(h.port.admin.offsets(h.name('missing')), withCode('TOPIC_MISSING'))
      await assert.rejects(h.scan(h.name('missing'), 0), withCode('TOPIC_MISSING'))
    })

    test('a scan reads exactly its range, also inside a batch', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('ranges')
      for (let i = 0; i < 4; i++) await h.writeNumbered(topic, 0, i * 10, 10)
      const offsets = async (from: number | 'earliest', to: number | 'end') =>
        (await h.scan(topic, 0, from, to)).map(record => record.offset)
      assert.deepEqual(await offsets('earliest', 'end'), range(0, 40))
      assert.deepEqual(await offsets(5, 17), range(5, 17))
      assert.deepEqual(await offsets(10, 20), range(10, 20))
      assert.deepEqual(await offsets(39, 'end'), [39])
      assert.deepEqual(await offsets(7, 7), [])
      assert.deepEqual(await offsets(40, 'end'), [])
    })

    test('a scan of several ranges gives the blocks of each partition in order', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('several', 3)
      for (let batch = 0; batch < 5; batch++) {
        for (const partition of [0, 1, 2]) await h.writeNumbered(topic, partition, batch * 4, 4)
      }
      const next = [0, 0, 0]
      const ranges = [0, 1, 2].map(partition => ({ topic, partition, from: 'earliest' as const, to: 'end' as const }))
      for await (const block of h.port.scan(ranges)) {
        for (let i = 0; i < block.count; i++) assert.equal(block.offset(i), next[block.partition]!++)
      }
      assert.deepEqual(next, [20, 20, 20])
    })

    test('a scan outside of the log is OFFSET_OUT_OF_RANGE', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('outside')
      await h.writeNumbered(topic, 0, 0, 3)
      await assert.rejects(h.scan(topic, 0, 7, 9), withCode('OFFSET_OUT_OF_RANGE'))
    })
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
