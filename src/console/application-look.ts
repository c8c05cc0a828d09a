/** The application as its brokers have it: who is in its groups, what is in its topics, and how far its groups are. */
import { consumerGroups } from '../consumer-groups.ts'
import { RunInferenceError } from '../errors.ts'
import type { GroupDescription } from '../kafka/port.ts'
import { replayTopic } from '../kafka/topic-names.ts'
import { FRESH_MS } from '../refresh/fleet-status.ts'
import type { InstanceStats } from '../refresh/instance-stats.ts'
import type { InstanceStatus } from '../refresh/status-record.ts'
import type { InstanceView, PartitionView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'
import { letterTopics, type TopicEnds, topicEnds } from './topic-ends.ts'

export interface GroupLook extends GroupDescription {
  readonly id: string
  /** Committed offsets by topic and partition, −1: none. */
  readonly committed: ReadonlyMap<string, readonly number[]>
}

export interface ApplicationLook extends TopicEnds {
  readonly groups: readonly GroupLook[]
}

/** Sources, what they are replayed from, outputs and dead letters. */
export function shownTopics({ topology }: Pick<ConsoleParts, 'topology'>): readonly string[] {
  const { applicationId, sources, sinks } = topology
  const read = sources.flatMap(({ topic }) => [topic, replayTopic(applicationId, topic)])
  return [...new Set([...read, ...sinks.map(({ topic }) => topic), ...letterTopics({ topology })])]
}

export async function lookAtApplication(parts: Pick<ConsoleParts, 'topology' | 'port'>): Promise<ApplicationLook> {
  const { topology, port } = parts
  const groups = consumerGroups(topology).map(async ({ id, sources }): Promise<GroupLook> => {
    const topics = sources.flatMap(({ topic }) => [topic, replayTopic(topology.applicationId, topic)])
    const [described, ...committed] = await Promise.all([
      port.admin.describeGroup(id),
      ...topics.map(async topic => [topic, await committedOf(port, id, topic)] as const),
    ])
    return { ...described, id, committed: new Map(committed) }
  })
  const [ends, ...looked] = await Promise.all([topicEnds(parts, shownTopics(parts)), ...groups])
  return { ...ends, groups: looked }
}

/** None where there is no such topic; what else is wrong is told: without commits all would seem to be waiting. */
async function committedOf({ admin }: ConsoleParts['port'], group: string, topic: string): Promise<readonly number[]> {
  try {
    return await admin.committed(group, topic)
  } catch (error) {
    if (!(error instanceof RunInferenceError) || error.code !== 'TOPIC_MISSING') throw error
    return []
  }
}

/** What members say of themselves tells which instance each is. */
export function partitionViews(look: ApplicationLook, instances: readonly InstanceStatus[]): readonly PartitionView[] {
  const names = memberNames(instances)
  return look.groups.flatMap(({ committed, members }) => {
    const owners = new Map(
      members.flatMap(({ memberId, partitions }) =>
        partitions.map(each => [`${each.topic}/${each.partition}`, names.get(memberId) ?? memberId] as const),
      ),
    )
    return [...committed].flatMap(([topic, offsets]) =>
      (look.ends.get(topic) ?? []).map(({ start, end }, partition): PartitionView => {
        // What a group has not committed yet it reads from where its start position says: at most all of it.
        const next = Math.max(start, offsets[partition] ?? -1)
        const owner = owners.get(`${topic}/${partition}`)
        return {
          topic,
          partition,
          ...(owner !== undefined && { owner }),
          committed: next,
          end,
          lag: Math.max(0, end - next),
        }
      }),
    )
  })
}

/** What members tell of the last minute or so, by instance: not what others left behind, or who no longer gets through. */
export function toldStats(
  { groups }: ApplicationLook,
  statuses: readonly InstanceStatus[],
  nowMs: number,
): ReadonlyMap<string, InstanceStats> {
  const members = new Set(groups.flatMap(group => group.members.map(({ memberId }) => memberId)))
  return new Map(
    statuses.flatMap(({ instance, memberIds, stats, writtenAt }) => {
      const isNow = nowMs - Date.parse(writtenAt) <= FRESH_MS && memberIds.some(id => members.has(id))
      return stats !== undefined && isNow ? [[instance, stats] as const] : []
    }),
  )
}

export function instanceViews(
  { groups }: ApplicationLook,
  statuses: readonly InstanceStatus[],
  told: ReadonlyMap<string, InstanceStats>,
): readonly InstanceView[] {
  const views = new Map<string, InstanceView>()
  const names = memberNames(statuses)
  const byInstance = new Map(statuses.map(status => [status.instance, status]))
  for (const member of groups.flatMap(({ members }) => members)) {
    const instance = names.get(member.memberId) ?? member.memberId
    const known = views.get(instance)
    const status = byInstance.get(instance)
    const stats = told.get(instance)
    views.set(instance, {
      ...{ instance, host: member.host.replace(/^\//, ''), isMember: true },
      partitions: (known?.partitions ?? 0) + member.partitions.length,
      ...(status && { seen: status.writtenAt }),
      ...(stats && {
        inPerSecond: stats.records.in / stats.seconds,
        outPerSecond: stats.records.out / stats.seconds,
        failedPerSecond: stats.records.failed / stats.seconds,
      }),
    })
  }
  for (const { instance, writtenAt } of statuses)
    if (!views.has(instance)) views.set(instance, { instance, partitions: 0, seen: writtenAt, isMember: false })
  return [...views.values()]
}

/** Instances by the ids of their members; one that writes no status goes by what the coordinator calls it. */
function memberNames(statuses: readonly InstanceStatus[]): ReadonlyMap<string, string> {
  return new Map(statuses.flatMap(({ instance, memberIds }) => memberIds.map(id => [id, instance] as const)))
}
