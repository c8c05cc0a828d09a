/**
 * What members tell each other through the broker: in JoinGroup what each reads and owns, in SyncGroup what each gets.
 * The consumer protocol carries topics and partitions; our own part travels in its userData, as JSON.
 */
import type { GroupMemberClaim, Partitions } from './assigner.ts'
import { MemberAssignment, MemberMetadata } from './internals.ts'

/** The name under which members agree on this assigner; another version must not share a group with this one. */
export const ASSIGNER_NAME = 'kri-sticky-v1'

/** Version of the consumer protocol's envelope. */
const ENVELOPE_VERSION = 0

export interface Share {
  readonly partitions: ReadonlyMap<string, readonly number[]>
  /** Topics for which the group had no committed offset at all when this generation was formed. */
  readonly freshTopics: ReadonlySet<string>
}

export function encodeClaim(claim: Omit<GroupMemberClaim, 'id'>): Buffer {
  const userData = { g: claim.generation, owned: Object.fromEntries(claim.owned) }
  return MemberMetadata.encode({
    version: ENVELOPE_VERSION,
    topics: claim.topics,
    userData: Buffer.from(JSON.stringify(userData)),
  })
}

/** A claim whose userData cannot be read counts as one that owns nothing: its topics still hold. */
export function decodeClaim(id: string, bytes: Buffer): GroupMemberClaim {
  const { topics, userData } = MemberMetadata.decode(bytes)
  const { g, owned } = parse<{ g: number; owned: Record<string, number[]> }>(userData)
  return { id, topics, generation: g ?? -1, owned: new Map(Object.entries(owned ?? {})) }
}

export function encodeShare(partitions: Partitions, freshTopics: readonly string[]): Buffer {
  return MemberAssignment.encode({
    version: ENVELOPE_VERSION,
    assignment: Object.fromEntries(partitions),
    userData: Buffer.from(JSON.stringify({ fresh: freshTopics })),
  })
}

export function decodeShare(bytes: Buffer): Share {
  const decoded = bytes.length === 0 ? null : MemberAssignment.decode(bytes)
  const { fresh } = parse<{ fresh: string[] }>(decoded?.userData ?? null)
  return { partitions: new Map(Object.entries(decoded?.assignment ?? {})), freshTopics: new Set(fresh ?? []) }
}

function parse<T extends object>(bytes: Buffer | null): Partial<T> {
  try {
    return bytes === null || bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Partial<T>)
  } catch {
    return {} // Not ours: the broker lets only members of one assigner name join, so this is a foreign client's mistake.
  }
}
