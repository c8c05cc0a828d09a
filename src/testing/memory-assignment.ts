export interface MemberClaim {
  readonly memberId: string
  readonly topics: readonly string[]
  /** The generation in which it owned `owned`; of two claims to a partition the newer one counts. */
  readonly generation: number
  readonly owned: readonly string[]
}

/** The key of a partition in maps. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** Topic and partition number of a key. */
export function partitionOfKey(key: string): { readonly topic: string; readonly partition: number } {
  const slash = key.lastIndexOf('/')
  return { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)) }
}

/** Partition keys by member: topic by topic, even within one, and nobody loses what he may keep. */
export function shareOut(
  claims: readonly MemberClaim[],
  partitionsOf: (topic: string) => number,
): Map<string, readonly string[]> {
  const newestFirst = claims.toSorted((a, b) => b.generation - a.generation || (a.memberId < b.memberId ? -1 : 1))
  const shares = new Map(newestFirst.map(claim => [claim.memberId, [] as string[]]))
  for (const topic of [...new Set(claims.flatMap(claim => claim.topics))].sort()) {
    const subscribers = newestFirst.filter(claim => claim.topics.includes(topic))
    const keys = Array.from({ length: partitionsOf(topic) }, (_, partition) => partitionKey(topic, partition))
    shareTopic(keys, subscribers, shares)
  }
  return shares
}

function shareTopic(
  keys: readonly string[],
  subscribers: readonly MemberClaim[],
  shares: ReadonlyMap<string, string[]>,
): void {
  const least = Math.floor(keys.length / subscribers.length)
  // So many members have one partition more than the others.
  let extras = keys.length % subscribers.length
  const free = new Set(keys)
  const rooms = subscribers.map(({ memberId, owned }) => {
    const kept = owned.filter(key => free.has(key)).slice(0, least + (extras > 0 ? 1 : 0))
    if (kept.length > least) extras--
    for (const key of kept) free.delete(key)
    shares.get(memberId)!.push(...kept)
    return { memberId, missing: least - kept.length }
  })
  for (const key of free) {
    let room = rooms.find(({ missing }) => missing > 0)
    // Everybody has the least: what is left are the extras, one each, to who has the fewest partitions in all.
    room ??= rooms
      .filter(({ missing }) => missing === 0)
      .toSorted((a, b) => shares.get(a.memberId)!.length - shares.get(b.memberId)!.length)[0]!
    room.missing--
    shares.get(room.memberId)!.push(key)
  }
}
