import { test } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kafkaPortContract } from './kafka-port.contract.ts'

const { brokers, prefix, skip } = await testCluster()

if (skip !== false) test('the Kafka port on real brokers', { skip })
else {
  kafkaPortContract({
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({
        brokers,
        clientId: 'contract',
        logger: silentLogger,
        clock: systemClock,
        random: Math.random,
        metadataMaxAgeMs: 1_000,
      }),
    wallTime: () => systemClock.wallTime(),
    eventually: (what, condition, deadlineMs = 20_000) => eventually(what, condition, deadlineMs),
    async addPartitions(topic, count) {
      // Only now: kafkajs must be mended by our adapter before anybody loads it.
      const { default: kafkajs } = await import('kafkajs')
      const client = new kafkajs.Kafka({
        clientId: 'contract',
        brokers: [...brokers],
        logLevel: kafkajs.logLevel.NOTHING,
      })
      const admin = client.admin()
      await admin.connect()
      await admin.createPartitions({ topicPartitions: [{ topic, count }] })
      await admin.disconnect()
    },
  })
}
