import type { GroupCommit } from '../kafka/port.ts'
import type { Caller } from './channel.ts'
import type { CoordinatorType } from './cluster.ts'
import type { OffsetFetchAnswer, OffsetFetchArgs } from './offset-fetch.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer } from './protocol-errors.ts'

interface Groups {
  coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller>
}

interface CommitOptions {
  readonly requireStable?: boolean
}

/**
 * What a group has committed, by `partitionKey`; −1 where there is nothing. With `requireStable` it rejects BROKER_UNAVAILABLE
 * while an offset that was asked for waits for the end of a transaction; else the one of before is told.
 */
export async function fetchCommitted(
  cluster: Groups,
  purpose: string,
  groupId: string,
  partitions: ReadonlyMap<string, readonly number[]>,
  options: CommitOptions = {},
): Promise<Map<string, number>> {
  const commits = await fetchCommits(cluster, purpose, groupId, partitions, options)
  return new Map([...commits].map(([key, { offset }]) => [key, offset]))
}

/** The same with what was committed along with the offsets. */
export async function fetchCommits(
  cluster: Groups,
  purpose: string,
  groupId: string,
  partitions: ReadonlyMap<string, readonly number[]>,
  { requireStable = false }: CommitOptions = {},
): Promise<Map<string, GroupCommit>> {
  const topics = [...partitions].map(([topic, numbers]) => ({
    topic,
    partitions: numbers.map(partition => ({ partition })),
  }))
  const coordinator = await cluster.coordinator('group', groupId, purpose)
  const args: OffsetFetchArgs = { groupId, topics, requireStable }
  const answer = await coordinator.call<OffsetFetchAnswer>('OffsetFetch', args)
  const what = `Reading the committed offsets of group '${groupId}'`
  assertAnswer(answer.errorCode, what, `Read on group '${groupId}'`)
  const commits = new Map<string, GroupCommit>()
  for (const { topic, partitions: list } of answer.responses) {
    for (const { partition, errorCode, offset, metadata } of list) {
      assertAnswer(errorCode, `${what} for ${topic}/${partition}`, `Describe on topic '${topic}' (Read brings it)`)
      commits.set(partitionKey(topic, partition), { offset: Number(offset), metadata: metadata ?? '' })
    }
  }
  return commits
}
