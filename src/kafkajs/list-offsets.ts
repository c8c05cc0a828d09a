import { RunInferenceError } from '../errors.ts'
import type { LogEnd, TopicPartition } from '../kafka/port.ts'
import type { Caller } from './channel.ts'
import type { Cluster } from './cluster.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer } from './protocol-errors.ts'

/** ListOffsets' two special timestamps. */
export const LATEST = -1
export const EARLIEST = -2

/** Where LATEST is. */
const ISOLATION_LEVEL: Readonly<Record<LogEnd, number>> = { written: 0, stable: 1 }

export interface OffsetQuestion extends TopicPartition {
  /** LATEST, EARLIEST, or milliseconds since 1970: the first offset at or after that time. */
  readonly timestampMs: number
}

/** What asking for offsets needs of the cluster. */
export interface OffsetsCluster extends Pick<Cluster, 'leader'> {
  channel(nodeId: number, purpose: string): Caller
}

interface ListOffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[]
  }[]
}

/**
 * Offsets by `partitionKey`, −1 where no record is that young. The topics must be tracked by the cluster. Rejects
 * BROKER_UNAVAILABLE while a partition has no leader, or another broker than the metadata says: refresh and try again.
 */
export async function listOffsets(
  cluster: OffsetsCluster,
  purpose: string,
  questions: readonly OffsetQuestion[],
  end: LogEnd = 'stable',
): Promise<Map<string, number>> {
  const byLeader = Map.groupBy(questions, ({ topic, partition }) => cluster.leader(topic, partition))
  const offsets = new Map<string, number>()
  for (const [leader, asked] of byLeader) {
    if (leader < 0) {
      const { topic, partition } = asked[0]!
      throw new RunInferenceError('BROKER_UNAVAILABLE', `Partition ${topic}/${partition} has no leader at present.`)
    }
    const byTopic = Map.groupBy(asked, question => question.topic)
    const topics = [...byTopic].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition, timestampMs }) => ({ partition, timestamp: timestampMs })),
    }))
    const answer = await cluster
      .channel(leader, purpose)
      .call<ListOffsetsAnswer>('ListOffsets', { isolationLevel: ISOLATION_LEVEL[end], topics })
    for (const { topic, partitions } of answer.responses) {
      for (const { partition, errorCode, offset } of partitions) {
        assertAnswer(errorCode, `Asking for offsets of ${topic}/${partition}`, `Describe on topic '${topic}'`)
        offsets.set(partitionKey(topic, partition), Number(offset))
      }
    }
  }
  return offsets
}
