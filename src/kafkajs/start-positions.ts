/**
 * Where reading starts. What the group has committed always wins. Without a commit the source's start position counts,
 * but only for a topic of which the group has committed nothing at all: a partition that appears later starts at its
 * beginning, or what was written before we noticed it would be skipped. What was found is committed before it is used,
 * so that a restart does not look again and find another place.
 */
import { RunInferenceError } from '../errors.ts'
import type { StartPosition, TopicPartition } from '../kafka/port.ts'
import type { Cluster } from './cluster.ts'
import { fetchCommitted } from './group-offsets.ts'
import type { GroupSession } from './group-session.ts'
import { EARLIEST, LATEST, listOffsets, type OffsetQuestion } from './list-offsets.ts'
import { sendOffsetCommit } from './offset-commit.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError } from './protocol-errors.ts'

export interface StartContext {
  readonly cluster: Cluster
  readonly session: GroupSession
  readonly purpose: string
  readonly groupId: string
  readonly starts: ReadonlyMap<string, StartPosition>
}

/** Positions by `partitionKey`. Rejects OFFSET_OUT_OF_RANGE where `none` was asked for and nothing is committed. */
export async function startPositions(
  context: StartContext,
  partitions: readonly TopicPartition[],
  freshTopics: ReadonlySet<string>,
): Promise<Map<string, number>> {
  if (partitions.length === 0) return new Map()
  const { cluster, purpose, groupId } = context
  const byTopic = new Map(
    [...Map.groupBy(partitions, p => p.topic)].map(([topic, list]) => [topic, list.map(p => p.partition)]),
  )
  const positions = await fetchCommitted(cluster, purpose, groupId, byTopic)
  const missing = partitions.filter(p => (positions.get(partitionKey(p.topic, p.partition)) ?? -1) < 0)
  if (missing.length === 0) return positions
  const questions = missing.map(p => question(context, p, freshTopics))
  const found = await listOffsets(cluster, purpose, questions)
  const beyond = missing.filter(p => found.get(partitionKey(p.topic, p.partition)) === -1)
  const ends = await listOffsets(
    cluster,
    purpose,
    beyond.map(p => ({ ...p, timestampMs: LATEST })),
  )
  const entries = missing.map(({ topic, partition }) => {
    const key = partitionKey(topic, partition)
    return { topic, partition, offset: ends.get(key) ?? found.get(key)! }
  })
  const names = await sendOffsetCommit(context.session, groupId, entries)
  for (const [key, name] of names) {
    if (name !== 'NONE') throw brokerError(name, `Committing the start position of ${key} for group '${groupId}'`)
  }
  for (const { topic, partition, offset } of entries) positions.set(partitionKey(topic, partition), offset)
  return positions
}

function question(context: StartContext, partition: TopicPartition, freshTopics: ReadonlySet<string>): OffsetQuestion {
  const start = freshTopics.has(partition.topic) ? (context.starts.get(partition.topic) ?? 'earliest') : 'earliest'
  if (start === 'none') {
    throw new RunInferenceError(
      'OFFSET_OUT_OF_RANGE',
      `Group '${context.groupId}' has committed no offset of ${partition.topic}/${partition.partition}, and its start position is 'none'. ` +
        "Commit offsets for the group first, or choose 'earliest', 'latest' or a time.",
    )
  }
  if (start === 'earliest') return { ...topicPartition(partition), timestampMs: EARLIEST }
  if (start === 'latest') return { ...topicPartition(partition), timestampMs: LATEST }
  return { ...topicPartition(partition), timestampMs: start.timestampMs }
}

function topicPartition({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
