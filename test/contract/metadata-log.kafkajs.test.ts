import { test } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type MetadataFeatures, metadataLogContract } from './metadata-log.contract.ts'
import { metadataWriterContract } from './metadata-writer.contract.ts'

const { brokers, prefix, skip } = await testCluster()

if (skip !== false) test('the metadata topic on real brokers', { skip })
else {
  const features: MetadataFeatures = {
    name: 'real brokers',
    prefix,
    clock: systemClock,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({
        brokers,
        clientId: 'metadata',
        logger: silentLogger,
        clock: systemClock,
        random: Math.random,
        metadataMaxAgeMs: 1_000,
      }),
    wallTime: () => systemClock.wallTime(),
    eventually: (what, condition, deadlineMs = 20_000) => eventually(what, condition, deadlineMs),
  }
  metadataLogContract(features)
  metadataWriterContract(features)
}
