/**
 * Where reading starts. What the group has committed always wins. Without a commit the source's start position counts,
 * but only for a topic of which the group has committed nothing at all: a partition that appears later starts at its
 * beginning, or what was written before we noticed it would be skipped. What was found is committed before it is used,
 * so that a restart does not look again and find another place; in the generation that has the partition, so that the
 * broker refuses it when the group has given the partition to somebody else meanwhile.
 */
import { RunInferenceError } from '../errors.ts'
import type { StartPosition, TopicPartition } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { fetchCommitted } from './group-offsets.ts'
import { EARLIEST, LATEST, listOffsets, type OffsetQuestion, type OffsetsCluster } from './list-offsets.ts'
import { type CommitSession, needsToCommit, type Standing, sendOffsetCommit } from './offset-commit.ts'
import { partitionKey } from './partition-key.ts'
import { answeredName, brokerError, clientError } from './protocol-errors.ts'

/** A topic may be unknown to a broker that starts, or that has not heard of it yet; not for longer. */
const TOPIC_MISSING_MS = 30_000
/** The group has gone on without this member, as the next heartbeat says, too: that ends the generation. */
const GONE_ON: ReadonlySet<string | undefined> = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID'])

export interface StartContext {
  readonly cluster: OffsetsCluster & Pick<Cluster, 'refresh'> & Parameters<typeof fetchCommitted>[0]
  readonly session: CommitSession
  readonly purpose: string
  readonly groupId: string
  readonly starts: ReadonlyMap<string, StartPosition>
  /** Offsets are committed in transactions: one that is not decided yet is waited for. */
  readonly requireStable: boolean
}

export interface StartLoop extends StartContext {
  readonly clock: Pick<Clock, 'now'>
  readonly backoff: Backoff
  /** Aborted when the generation is over: the next one asks again. */
  readonly over: AbortSignal
  /** Comes first in every attempt. */
  readonly before: () => Promise<void>
  readonly onTrouble: (failure: RunInferenceError | undefined) => void
}

/** As `startPositions`, through outages; undefined when the generation was over before they were known. */
export async function startPositionsInTime(
  context: StartLoop,
  partitions: readonly TopicPartition[],
  freshTopics: ReadonlySet<string>,
): Promise<Map<string, number> | undefined> {
  const { cluster, clock, session, backoff, over, before, onTrouble } = context
  const { memberId, generation } = session
  let positions: Map<string, number> | undefined
  let missingSinceMs: number | undefined
  while (positions === undefined && !over.aborted) {
    try {
      await before()
      // A partition that the leader of the group has found may be newer than what is known here.
      if (partitions.some(({ topic, partition }) => cluster.leader(topic, partition) < 0)) await cluster.refresh()
      positions = await startPositions(context, partitions, freshTopics, { memberId, generation })
    } catch (error) {
      if (over.aborted) break
      const failure = clientError(error, 'Reading start positions')
      if (failure.code !== 'TOPIC_MISSING') missingSinceMs = undefined
      else missingSinceMs ??= clock.now()
      const isMissing = missingSinceMs !== undefined && clock.now() - missingSinceMs > TOPIC_MISSING_MS
      const mayPass = failure.retriable || GONE_ON.has(answeredName(failure)) || missingSinceMs !== undefined
      if (!mayPass || isMissing) throw failure
      onTrouble(failure)
      session.forgetCoordinator()
      await backoff.wait(over)
      await cluster.refresh().catch(() => {}) // The next attempt meets the same outage and reports it.
    }
  }
  onTrouble(undefined)
  return over.aborted ? undefined : positions
}

/** Positions by `partitionKey`. Rejects OFFSET_OUT_OF_RANGE where `none` was asked for and nothing is committed. */
async function startPositions(
  context: StartContext,
  partitions: readonly TopicPartition[],
  freshTopics: ReadonlySet<string>,
  standing: Standing,
): Promise<Map<string, number>> {
  if (partitions.length === 0) return new Map()
  const { cluster, purpose, groupId, requireStable } = context
  const byTopic = new Map(
    [...Map.groupBy(partitions, p => p.topic)].map(([topic, list]) => [topic, list.map(p => p.partition)]),
  )
  const positions = await fetchCommitted(cluster, purpose, groupId, byTopic, { requireStable })
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
  const names = await sendOffsetCommit(context.session, groupId, entries, standing)
  for (const [key, name] of names) {
    if (name === 'NONE') continue
    const what = `Committing the start position of ${key} for group '${groupId}'`
    throw brokerError(name, what, needsToCommit(name, groupId, key.replace(/\/\d+$/, '')))
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
