/**
 * The coordinator of one consumer group in memory.
 *
 * 1. A rebalance ends when every known member has joined, or when the rebalance timeout of the slowest is over; who has
 *    not joined by then is no member any more.
 * 2. While members are awaited, commits of the generation before are accepted; later ones are not.
 * 3. A member that is not heard of for its session timeout is removed; the time of an outage does not count.
 * 4. A partition stays with its owner as long as the shares of two members differ by at most one.
 */
import type { GroupCommit, GroupDescription, StartPosition } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import { type MemberClaim, partitionOfKey, shareOut } from './memory-assignment.ts'

export interface JoinRequest {
  readonly memberId: string
  readonly sources: readonly { readonly topic: string; readonly start: StartPosition }[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** The generation in which it owned `owned`; −1 = none. */
  readonly generation: number
  readonly owned: readonly string[]
}

export interface JoinAnswer {
  readonly generation: number
  /** Keys of partitions, `topic/partition`. */
  readonly partitions: readonly string[]
}

export type Standing = 'ok' | 'rebalance' | 'unknown'

interface Member {
  claim: JoinRequest
  /** Keys of partitions, of the last generation. */
  share: readonly string[]
  /** Set while it waits for the rebalance to end; undefined = the group went on without it. */
  answer: ((answer: JoinAnswer | undefined) => void) | undefined
  cancelExpiry: () => void
}

interface GroupContext {
  readonly clock: Clock
  readonly isUp: () => boolean
  readonly partitionsOf: (topic: string) => number
  /** Called when a generation begins, before its members hear of it: commits the start positions of what is new. */
  readonly begin: (group: MemoryGroup, sources: JoinRequest['sources']) => void
}

export class MemoryGroup {
  /** Committed offsets by partition key. */
  readonly offsets = new Map<string, number>()
  /** What was committed along with them. */
  readonly metadata = new Map<string, string>()
  readonly #context: GroupContext
  readonly #members = new Map<string, Member>()
  #generation = 0
  #isPreparing = false
  #cancelTimeout = () => {}

  constructor(context: GroupContext) {
    this.#context = context
  }

  get memberIds(): readonly string[] {
    return [...this.#members.keys()]
  }

  describe(): GroupDescription {
    const members = [...this.#members].map(([memberId, { claim, share }]) => ({
      ...{ memberId, clientId: 'memory', host: '/memory' },
      topics: this.#isPreparing ? [] : claim.sources.map(({ topic }) => topic),
      partitions: this.#isPreparing ? [] : share.map(partitionOfKey),
    }))
    if (members.length > 0) return { state: this.#isPreparing ? 'PreparingRebalance' : 'Stable', members }
    return { state: this.offsets.size > 0 ? 'Empty' : 'Dead', members }
  }

  reads(topic: string): boolean {
    return [...this.#members.values()].some(({ claim }) => claim.sources.some(source => source.topic === topic))
  }

  /** Resolves when the rebalance has ended; undefined = this member was removed meanwhile. */
  join(claim: JoinRequest): Promise<JoinAnswer | undefined> {
    const member = this.#members.get(claim.memberId)
    // It was a member, and is none any more: it has to begin again with an id of its own.
    if (member === undefined && claim.generation >= 0) return Promise.resolve(undefined)
    member?.answer?.(undefined)
    member?.cancelExpiry()
    return new Promise(resolve => {
      this.#members.set(claim.memberId, { claim, share: [], answer: resolve, cancelExpiry: () => {} })
      this.rebalance()
      this.#completeIfAllJoined()
    })
  }

  heartbeat(memberId: string, generation: number): Standing {
    const member = this.#members.get(memberId)
    if (member === undefined || generation !== this.#generation) return 'unknown'
    this.#expectLife(member)
    return this.#isPreparing ? 'rebalance' : 'ok'
  }

  commit(memberId: string, generation: number, entries: readonly (readonly [key: string, offset: number])[]): Standing {
    const member = this.#members.get(memberId)
    if (member === undefined || generation !== this.#generation) return 'unknown'
    if (member.answer !== undefined) return 'rebalance'
    for (const [key, offset] of entries) this.store(key, { offset, metadata: '' })
    return 'ok'
  }

  store(key: string, { offset, metadata }: GroupCommit): void {
    this.offsets.set(key, offset)
    this.metadata.set(key, metadata)
  }

  forget(): void {
    this.offsets.clear()
    this.metadata.clear()
  }

  /** A member goes, by its own will or because it was not heard of. */
  remove(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    member.cancelExpiry()
    this.#members.delete(memberId)
    member.answer?.(undefined)
    this.rebalance()
    this.#completeIfAllJoined()
  }

  /** Asks every member to join again; they learn of it with their next heartbeat. */
  rebalance(): void {
    if (this.#isPreparing || this.#members.size === 0) return
    this.#isPreparing = true
    const timeouts = [...this.#members.values()].map(({ claim }) => claim.rebalanceTimeoutMs)
    this.#cancelTimeout = this.#context.clock.after(Math.max(...timeouts), () => this.#complete())
  }

  /** After an outage sessions begin anew. */
  restartSessions(): void {
    for (const member of this.#members.values()) if (member.answer === undefined) this.#expectLife(member)
  }

  #expectLife(member: Member): void {
    member.cancelExpiry()
    member.cancelExpiry = this.#context.clock.after(member.claim.sessionTimeoutMs, () => {
      if (this.#context.isUp()) this.remove(member.claim.memberId)
    })
  }

  #completeIfAllJoined(): void {
    if (!this.#isPreparing || [...this.#members.values()].some(({ answer }) => answer === undefined)) return
    this.#complete()
  }

  #complete(): void {
    this.#cancelTimeout()
    this.#isPreparing = false
    for (const [memberId, member] of this.#members) {
      if (member.answer !== undefined) continue
      member.cancelExpiry()
      this.#members.delete(memberId)
    }
    if (this.#members.size === 0) return
    this.#generation++
    const members = [...this.#members.values()]
    this.#context.begin(
      this,
      members.flatMap(({ claim }) => claim.sources),
    )
    const claims: MemberClaim[] = members.map(({ claim }) => ({
      memberId: claim.memberId,
      topics: claim.sources.map(source => source.topic),
      generation: claim.generation,
      owned: claim.owned,
    }))
    const shares = shareOut(claims, this.#context.partitionsOf)
    for (const member of members) {
      const { answer } = member
      member.answer = undefined
      member.share = shares.get(member.claim.memberId) ?? []
      this.#expectLife(member)
      answer?.({ generation: this.#generation, partitions: member.share })
    }
  }
}
