import { Cluster } from '../../src/kafkajs/cluster.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { errorName } from '../../src/kafkajs/protocol-errors.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

/** Deletes a group with all that it has committed, as brokers do with one that has had no members for long. */
export async function deleteGroup(brokers: readonly string[], groupId: string): Promise<void> {
  const connection = { clientId: 'groups', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) }
  const cluster = new Cluster({
    brokers,
    connection: { ...connection, connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
    clock: systemClock,
    random: Math.random,
    metadataMaxAgeMs: 30_000,
  })
  try {
    const coordinator = await cluster.coordinator('group', groupId, 'groups')
    const { results } = await coordinator.call<{ readonly results: readonly { readonly errorCode: number }[] }>(
      'DeleteGroups',
      [groupId],
    )
    for (const { errorCode } of results)
      if (errorCode !== 0) throw new Error(`deleting group ${groupId}: ${errorName(errorCode)}`)
  } finally {
    cluster.close()
  }
}
