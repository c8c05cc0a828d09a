import type { KafkaPort, MemberOptions } from '../src/kafka/port.ts'
import { createKafkaPort } from '../src/kafkajs/kafka-port.ts'
import { systemClock } from '../src/ops/clock.ts'
import { createLogger, type Logger } from '../src/ops/logger.ts'
import { DEFAULT_RUN_SETTINGS } from '../src/run-settings.ts'

/** Warnings and errors, to standard error. */
export const benchLogger: Logger = createLogger('warn')

export function connect(brokers: readonly string[], clientId: string): KafkaPort {
  return createKafkaPort({ brokers, clientId, logger: benchLogger, clock: systemClock, random: Math.random })
}

/** The member of a variant without a topology, set as a topology sets its own. */
export function memberOptions(
  groupId: string,
  topic: string,
  start: 'earliest' | 'latest' = 'earliest',
): MemberOptions {
  const settings = DEFAULT_RUN_SETTINGS
  return {
    ...settings,
    groupId,
    sources: [{ topic, start }],
    maxBytesPerFetch: 4 * settings.maxBytesPerPartition,
  }
}
