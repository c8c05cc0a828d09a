import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { eventually } from '../support/eventually.ts'
import type { MetadataFeatures } from './metadata-log.contract.ts'

/** Real brokers, in real time. */
export function realBrokerFeatures(brokers: readonly string[], prefix: string): MetadataFeatures {
  return {
    name: 'real brokers',
    prefix,
    clock: systemClock,
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
  }
}
