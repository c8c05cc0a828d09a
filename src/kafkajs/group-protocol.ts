/**
 * What members tell each other through the broker: in JoinGroup what each reads and owns, in SyncGroup what each gets.
 * The consumer protocol carries topics and partitions; our own part travels in its userData, as JSON.
 *
 * While a new version is rolled out both share the group, and either may lead it. So:
 * V1 Under one name fields may be added, never given another meaning. What is not known is ignored, what is missing or
 *    cannot be read has a default that is safe: such a member owns nothing, no topic is fresh; one whose claim is none gets nothing.
 * V2 What older members cannot read gets a name of its own, offered before the old one. The broker takes a name that all
 *    members offer, of several the one that most of them prefer: the new one as soon as the last old member is gone.
 * V3 A name may be dropped one release after the one that brought its successor: two that have no name in common cannot
 *    share a group, and the broker refuses the one that comes later.
 */

import type { TopicPartition } from '../kafka/port.ts'
import { AnswerReader } from './answer-reader.ts'
import { assignPartitions, type GroupMemberClaim, type Partitions } from './assigner.ts'
import { MemberAssignment, MemberMetadata } from './internals.ts'

/** A way to divide a group's partitions, and how its members speak of them. */
export interface GroupProtocol {
  /** As members offer it in JoinGroup. */
  readonly name: string
  encodeClaim(claim: Omit<GroupMemberClaim, 'id'>): Buffer
  decodeClaim(id: string, bytes: Buffer): VersionedClaim
  assign(
    claims: readonly GroupMemberClaim[],
    partitionCounts: ReadonlyMap<string, number>,
  ): ReadonlyMap<string, Partitions>
  encodeShare(partitions: Partitions, freshTopics: readonly string[]): Buffer
  decodeShare(bytes: Buffer): Share
}

export interface VersionedClaim extends GroupMemberClaim {
  /** What its sender speaks, 0 where it does not say: for the log, and for a leader that must know who understands it. */
  readonly version: number
}

export interface Share {
  readonly partitions: ReadonlyMap<string, readonly number[]>
  /** Topics for which the group had no committed offset at all when this generation was formed. */
  readonly freshTopics: ReadonlySet<string>
}

/** To be raised with every field that is added to a claim or a share. */
const VERSION = 1

/** Version of the consumer protocol's envelope. */
const ENVELOPE_VERSION = 0

const stickyV1: GroupProtocol = {
  name: 'kri-sticky-v1',
  encodeClaim({ topics, generation, owned }) {
    const userData = { v: VERSION, g: generation, owned: Object.fromEntries(owned) }
    return MemberMetadata.encode({ version: ENVELOPE_VERSION, topics, userData: toBytes(userData) })
  },
  decodeClaim(id, bytes) {
    const { topics, userData } = subscriptionIn(bytes)
    const { v, g, owned } = fieldsOf(userData)
    return { id, topics, version: wholeOr(0, v), generation: wholeOr(-1, g), owned: partitionsOf(owned) }
  },
  assign: assignPartitions,
  encodeShare(partitions, freshTopics) {
    const assignment = Object.fromEntries(partitions)
    const userData = toBytes({ v: VERSION, fresh: freshTopics })
    return MemberAssignment.encode({ version: ENVELOPE_VERSION, assignment, userData })
  },
  decodeShare(bytes) {
    if (bytes.length === 0) return { partitions: new Map(), freshTopics: new Set() }
    const reader = new AnswerReader(bytes)
    const partitions = partitionsIn(reader)
    const { fresh } = fieldsOf(reader.bytes())
    return { partitions, freshTopics: new Set(namesOf(fresh)) }
  },
}

/** What this version offers, the one that it prefers first (V2). */
export const GROUP_PROTOCOLS: readonly GroupProtocol[] = [stickyV1]

/** kafkajs's own decoder makes room for as many topics as a member claims to have, up to 2^31. */
function subscriptionIn(bytes: Buffer): { readonly topics: readonly string[]; readonly userData: Buffer } {
  try {
    const reader = new AnswerReader(bytes)
    reader.int16() // version of the envelope
    return { topics: reader.array(() => reader.string()), userData: reader.bytes() }
  } catch {
    return { topics: [], userData: Buffer.alloc(0) } // V1
  }
}

function partitionsIn(reader: AnswerReader): ReadonlyMap<string, readonly number[]> {
  reader.int16() // version of the envelope
  return new Map(reader.array(() => [reader.string(), reader.array(() => reader.int32())] as const))
}

/** The topics of any member's subscription, whatever its assigner adds to it. */
export function subscribedTopics(bytes: Buffer): readonly string[] {
  return subscriptionIn(bytes).topics
}

/** What any member was given, whatever its assigner adds to it. */
export function sharedPartitions(bytes: Buffer): readonly TopicPartition[] {
  try {
    return [...partitionsIn(new AnswerReader(bytes))].flatMap(([topic, partitions]) =>
      partitions.map(partition => ({ topic, partition })),
    )
  } catch {
    return [] // Empty while the group rebalances, or no consumer's.
  }
}

/** What JoinGroup carries. */
export function offersOf(protocols: readonly GroupProtocol[], claim: Omit<GroupMemberClaim, 'id'>) {
  return protocols.map(({ name, encodeClaim }) => ({ name, metadata: encodeClaim(claim) }))
}

/** What to do where the group speaks none of these (V3). */
export function noneInCommon(offered: readonly GroupProtocol[]): string {
  const names = offered.map(({ name }) => name).join(', ')
  return (
    ' Another application uses this group id, or a version of this one that has no assigner in common with it ' +
    `(${names}): choose another applicationId, or stop the others first.`
  )
}

function toBytes(userData: object): Buffer {
  return Buffer.from(JSON.stringify(userData))
}

function fieldsOf(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString() || '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {} // V1
  }
}

function wholeOr(missing: number, value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : missing
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(name => typeof name === 'string') : []
}

function partitionsOf(value: unknown): Map<string, readonly number[]> {
  const owned = new Map<string, readonly number[]>()
  if (typeof value !== 'object' || value === null) return owned
  for (const [topic, numbers] of Object.entries(value)) {
    if (!Array.isArray(numbers)) continue
    owned.set(
      topic,
      numbers.filter(n => Number.isSafeInteger(n) && n >= 0),
    )
  }
  return owned
}
