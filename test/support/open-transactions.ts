import { Cluster } from '../../src/kafkajs/cluster.ts'
import { LATEST } from '../../src/kafkajs/list-offsets.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

interface Answer {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
  }[]
}

/** Asks one broker, which leads everything, for partitions that have an open transaction. */
export async function openTransactionWatch(brokers: readonly string[], topic: string) {
  const cluster = new Cluster({
    brokers,
    connection: {
      ...{ clientId: 'open-transactions', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) },
      ...{ connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
    },
    ...{ clock: systemClock, random: Math.random, metadataMaxAgeMs: 30_000 },
  })
  cluster.track([topic])
  await cluster.refresh()
  const ends = async (partitions: readonly number[], isolationLevel: 0 | 1) => {
    const asked = partitions.map(partition => ({ partition, timestamp: LATEST }))
    const broker = cluster.channel(cluster.leader(topic, 0), 'offsets')
    const answer = await broker.call<Answer>('ListOffsets', { isolationLevel, topics: [{ topic, partitions: asked }] })
    return new Map(answer.responses.flatMap(each => each.partitions.map(p => [p.partition, Number(p.offset)])))
  }
  return {
    /** Those whose last stable offset is behind their end. */
    async of(partitions: readonly number[]): Promise<readonly number[]> {
      const stable = await ends(partitions, 1)
      const all = await ends(partitions, 0)
      return partitions.filter(partition => stable.get(partition)! < all.get(partition)!)
    },
    close: () => cluster.close(),
  }
}
