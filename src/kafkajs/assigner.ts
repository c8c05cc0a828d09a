/**
 * Who reads which partition. A pure function of what every member says in JoinGroup, run by the group's leader.
 *
 * A1 Every partition of every topic goes to exactly one member that subscribes to that topic.
 * A2 Topics with the same subscribers form a group; within a group no member has two partitions more than another,
 *    neither of one topic nor in all.
 * A3 Nothing moves when nothing changed; a member that joins takes only what others have too many of (from three topics
 *    of a group on, A2 can make two others even out between themselves as well).
 * A4 Of two topics with equal partition counts and the same subscribers, equal partition numbers go to the same member
 *    where A2 and A3 leave the choice: a replay topic is read beside its source.
 */

export interface GroupMemberClaim {
  readonly id: string
  readonly topics: readonly string[]
  /** The generation in which it owned `owned`, −1 if none; of two claims to a partition the newer one counts. */
  readonly generation: number
  readonly owned: ReadonlyMap<string, readonly number[]>
}

/** Partition numbers by topic. */
export type Partitions = Map<string, number[]>

/** The share of every member by id; topics that do not exist (no entry in `partitionCounts`) are left out. */
export function assignPartitions(
  members: readonly GroupMemberClaim[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, Partitions> {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1))
  const result = new Map(sorted.map(member => [member.id, new Map() as Partitions]))
  const load = new Map(sorted.map(member => [member.id, 0]))
  for (const group of subscriptionGroups(sorted, partitionCounts)) {
    const extras = new Map(group.members.map(member => [member.id, 0]))
    const previously = group.topics.map(topic => previousOwners(group.members, topic, partitionCounts.get(topic)!))
    const held = countOf(previously.flat())
    const siblings = new Map<number, string[]>()
    for (const [i, topic] of group.topics.entries()) {
      const count = partitionCounts.get(topic)!
      const previous = previously[i]!
      const quotas = topicQuotas(group.members, previous, { extras, held, load })
      const owners = shareTopic(group.members, previous, quotas, siblings.get(count))
      siblings.set(count, owners)
      for (const [partition, id] of owners.entries()) {
        const partitions = result.get(id)!
        const share = partitions.get(topic)
        if (share) share.push(partition)
        else partitions.set(topic, [partition])
        load.set(id, load.get(id)! + 1)
      }
    }
  }
  return result
}

interface SubscriptionGroup {
  readonly members: readonly GroupMemberClaim[]
  readonly topics: string[]
}

/** Topics by their set of subscribers, in a fixed order: the scarcest subscribers first, so that the others even out. */
function subscriptionGroups(
  members: readonly GroupMemberClaim[],
  partitionCounts: ReadonlyMap<string, number>,
): SubscriptionGroup[] {
  const groups = new Map<string, SubscriptionGroup>()
  for (const topic of [...partitionCounts.keys()].sort()) {
    const subscribers = members.filter(member => member.topics.includes(topic))
    if (subscribers.length === 0 || partitionCounts.get(topic) === 0) continue
    const key = JSON.stringify(subscribers.map(member => member.id))
    const group = groups.get(key)
    if (group) group.topics.push(topic)
    else groups.set(key, { members: subscribers, topics: [topic] })
  }
  return [...groups.values()].sort((a, b) => a.members.length - b.members.length)
}

/** The member that last owned each partition, if it is still here. */
function previousOwners(members: readonly GroupMemberClaim[], topic: string, count: number): (string | undefined)[] {
  const owners = new Array<string | undefined>(count).fill(undefined)
  const generations = new Array<number>(count).fill(-1)
  for (const member of members) {
    for (const partition of member.owned.get(topic) ?? []) {
      if (partition >= count || member.generation <= generations[partition]!) continue
      owners[partition] = member.id
      generations[partition] = member.generation
    }
  }
  return owners
}

function countOf(ids: readonly (string | undefined)[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

/** How much each member has, by id. */
interface Burden {
  /** Topics of this group of which it has one partition more than others. */
  readonly extras: Map<string, number>
  /** Partitions of this group that it had until now. */
  readonly held: ReadonlyMap<string, number>
  /** Partitions of the groups before. */
  readonly load: ReadonlyMap<string, number>
}

/** How many partitions of a topic each member gets; who has the fewest extras gets one more, who has one keeps it. */
function topicQuotas(
  members: readonly GroupMemberClaim[],
  previous: readonly (string | undefined)[],
  { extras, held, load }: Burden,
): Map<string, number> {
  const base = Math.floor(previous.length / members.length)
  const owned = countOf(previous)
  const kept = (id: string) => Math.min(owned.get(id) ?? 0, base + 1)
  const ids = members.map(member => member.id)
  ids.sort(
    (a, b) =>
      extras.get(a)! - extras.get(b)! ||
      kept(b) - kept(a) ||
      (held.get(a) ?? 0) - (held.get(b) ?? 0) ||
      load.get(a)! - load.get(b)!,
  )
  const quotas = new Map<string, number>()
  for (const [i, id] of ids.entries()) {
    const extra = i < previous.length % members.length ? 1 : 0
    quotas.set(id, base + extra)
    extras.set(id, extras.get(id)! + extra)
  }
  return quotas
}

/** The owner of each partition of one topic: kept up to the quota, the rest beside its sibling, the rest to who lacks most. */
function shareTopic(
  members: readonly GroupMemberClaim[],
  previous: readonly (string | undefined)[],
  quotas: Map<string, number>,
  siblings: readonly string[] | undefined,
): string[] {
  const owners = new Array<string | undefined>(previous.length).fill(undefined)
  const give = (partition: number, id: string | undefined) => {
    const left = id === undefined ? 0 : (quotas.get(id) ?? 0)
    if (id === undefined || left === 0 || owners[partition] !== undefined) return
    owners[partition] = id
    quotas.set(id, left - 1)
  }
  for (const [partition, id] of previous.entries()) if (id === siblings?.[partition]) give(partition, id)
  for (const [partition, id] of previous.entries()) give(partition, id)
  for (const [partition, id] of (siblings ?? []).entries()) give(partition, id)
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] !== undefined) continue
    let neediest = members[0]!.id
    for (const { id } of members) if (quotas.get(id)! > quotas.get(neediest)!) neediest = id
    give(partition, neediest)
  }
  return owners as string[]
}
