/**
 * Where reading starts. What the group has committed always wins. Without a commit the source's start position counts,
 * but only for a topic of which the group has committed nothing at all: a partition that appears later starts at its
 * beginning, or what was written before we noticed it would be skipped. What was found is committed before it is used,
 * so that a restart does not look again and find another place.
 */
import { RunInferenceError } from '../errors.ts'
import type { StartPosition, TopicPartition } from '../kafka/port.ts'
import type { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { fetchCommitted } from './group-offsets.ts'
import type { GroupSession } from './group-session.ts'
import { EARLIEST, LATEST, listOffsets, type OffsetQuestion } from './list-offsets.ts'
import { sendOffsetCommit } from './offset-commit.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError, clientError } from './protocol-errors.ts'

export interface StartContext {
  readonly cluster: Cluster
  readonly session: GroupSession
  readonly purpose: string
  readonly groupId: string
  readonly starts: ReadonlyMap<string, StartPosition>
}

export interface StartLoop extends StartContext {
  readonly backoff: Backoff
  readonly signal: AbortSignal
  /** True when the generation is over: the next one asks again. */
  readonly isOver: () => boolean
  readonly onTrouble: (failure: RunInferenceError | undefined) => void
}

/** As `startPositions`, through outages; undefined when the generation was over before they were known. */
export async function startPositionsInTime(
  context: StartLoop,
  partitions: readonly TopicPartition[],
  freshTopics: ReadonlySet<string>,
): Promise<Map<string, number> | undefined> {
  const { cluster, session, backoff, signal, isOver, onTrouble } = context
  let positions: Map<string, number> | undefined
  while (positions === undefined && !isOver()) {
    try {
      // A partition that the leader of the group has found may be newer than what is known here.
      if (partitions.some(({ topic, partition }) => cluster.leader(topic, partition) < 0)) await cluster.refresh()
      positions = await startPositions(context, partitions, freshTopics)
    } catch (error) {
      const failure = clientError(error, 'Reading start positions')
      if (!failure.retriable) throw failure
      onTrouble(failure)
      session.forgetCoordinator()
      await backoff.wait(signal)
      await cluster.refresh().catch(() => {}) // The next attempt meets the same outage and reports it.
    }
  }
  onTrouble(undefined)
  return isOver() ? undefined : positions
}

/** Positions by `partitionKey`. Rejects OFFSET_OUT_OF_RANGE where `none` was asked for and nothing is committed. */
async function startPositions(
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
