import { test } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { kafkaPortContract } from './kafka-port.contract.ts'
import { realBrokerFeatures } from './real-broker-features.ts'

const { brokers, prefix, skip } = await testCluster()

if (skip !== false) test('the Kafka port on real brokers', { skip })
else {
  kafkaPortContract({
    ...realBrokerFeatures(brokers, prefix),
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
