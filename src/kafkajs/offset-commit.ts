import type { Caller } from './channel.ts'
import { partitionKey } from './partition-key.ts'
import { COORDINATOR_MOVED, errorName } from './protocol-errors.ts'

/** As whom the group knows a member. */
export interface Standing {
  readonly memberId: string
  /** −1 while joining. */
  readonly generation: number
}

/** What commits need of a group session. */
export interface CommitSession extends Standing {
  coordinator(): Promise<Caller>
  forgetCoordinator(): void
}

export interface OffsetEntry {
  readonly topic: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
}

interface OffsetCommitAnswer {
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[]
  }[]
}

/** What a commit that is not authorised asks for: the group is read, and so is the topic. */
export function needsToCommit(name: string, groupId: string, topic: string): string {
  return name === 'GROUP_AUTHORIZATION_FAILED' ? `Read on group '${groupId}'` : `Read on topic '${topic}'`
}

/**
 * One OffsetCommit, in the session's present generation unless another is named; resolves with the protocol's error name by
 * `partitionKey`. The broker checks member and generation, not whether the partitions are this member's.
 */
export async function sendOffsetCommit(
  session: CommitSession,
  groupId: string,
  entries: readonly OffsetEntry[],
  { memberId, generation }: Standing = session,
): Promise<Map<string, string>> {
  const topics = [...Map.groupBy(entries, entry => entry.topic)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
  }))
  const coordinator = await session.coordinator()
  const answer = await coordinator.call<OffsetCommitAnswer>('OffsetCommit', {
    groupId,
    groupGenerationId: generation,
    memberId,
    topics,
  })
  const names = new Map<string, string>()
  for (const { topic, partitions } of answer.responses) {
    for (const { partition, errorCode } of partitions) {
      const name = errorName(errorCode)
      if (COORDINATOR_MOVED.has(name)) session.forgetCoordinator()
      names.set(partitionKey(topic, partition), name)
    }
  }
  return names
}
