/** The work of a group's leader between JoinGroup and SyncGroup, under the protocol that the broker has chosen. */
import type { Logger } from '../ops/logger.ts'
import type { Caller } from './channel.ts'
import type { Cluster, CoordinatorType } from './cluster.ts'
import { fetchCommitted } from './group-offsets.ts'
import type { GroupProtocol } from './group-protocol.ts'

/** What a leader needs of the cluster. */
export interface LeaderCluster extends Pick<Cluster, 'track' | 'refresh' | 'topic'> {
  coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller>
}

export interface LeaderContext {
  readonly cluster: LeaderCluster
  readonly logger: Logger
  readonly purpose: string
  readonly groupId: string
}

/** As the broker gives it to the leader. */
export interface JoinedMember {
  readonly memberId: string
  readonly memberMetadata: Buffer
}

export interface Division {
  readonly shares: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[]
  /** The partition counts that were divided, by topic, of all members' topics. */
  readonly counted: ReadonlyMap<string, number>
}

/** Everybody's topics, counted anew, divided; and which of them this group has never read. */
export async function divideGroup(
  { cluster, logger, purpose, groupId }: LeaderContext,
  protocol: GroupProtocol,
  members: readonly JoinedMember[],
): Promise<Division> {
  const claims = members.map(member => protocol.decodeClaim(member.memberId, member.memberMetadata))
  const versions = new Set(claims.map(claim => claim.version))
  if (versions.size > 1) {
    logger.info(
      { protocol: protocol.name, versions: [...versions].sort() },
      'members of several versions share the group',
    )
  }
  const topics = [...new Set(claims.flatMap(claim => claim.topics))]
  cluster.track(topics)
  await cluster.refresh()
  const counted = new Map(topics.map(topic => [topic, cluster.topic(topic)?.leaders.length ?? 0]))
  for (const [topic, count] of counted) {
    if (count === 0) logger.warn({ topic }, 'a member of the group subscribes to a topic that does not exist')
  }
  const all = new Map([...counted].map(([topic, count]) => [topic, Array.from({ length: count }, (_, p) => p)]))
  const committed = await fetchCommitted(cluster, purpose, groupId, all)
  const read = new Set([...committed].filter(([, offset]) => offset >= 0).map(([key]) => key.replace(/\/\d+$/, '')))
  const fresh = topics.filter(topic => !read.has(topic))
  const shares = [...protocol.assign(claims, counted)].map(([memberId, partitions]) => ({
    memberId,
    memberAssignment: protocol.encodeShare(partitions, fresh),
  }))
  return { shares, counted }
}
