/**
 * One member's standing in its group: join, sync, heartbeats, leave. It holds the member id and the generation, and
 * tells when they are called into question; what that means for partitions is decided in `member.ts`.
 *
 * S1 Heartbeats go on from the sync of one generation until the join of the next, also while work is drained.
 * S2 An answer to a request of an older generation changes nothing.
 * S3 The session is over when no answer came for `sessionTimeoutMs`, or when the coordinator says so: told at once.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { assignPartitions } from './assigner.ts'
import type { Caller } from './channel.ts'
import type { Cluster, CoordinatorType } from './cluster.ts'
import { fetchCommitted } from './group-offsets.ts'
import { ASSIGNER_NAME, decodeClaim, decodeShare, encodeClaim, encodeShare, type Share } from './group-protocol.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'

export interface GroupSessionOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
}

export interface GroupSessionEvents {
  /** The group wants to divide its partitions anew; the session stands until the next join. */
  onRebalance(): void
  /** The session is over: whatever this member owned is lost. */
  onExpelled(reason: string): void
  /** A heartbeat failed (retriable), or works again (undefined). */
  onHeartbeat(failure: RunInferenceError | undefined): void
}

export interface Generation extends Share {
  readonly memberId: string
  readonly number: number
  /** Set for the leader: the partition counts that it divided, by topic, of all members' topics. */
  readonly counted: ReadonlyMap<string, number> | undefined
}

/** What a session needs of the cluster. */
export interface SessionCluster extends Pick<Cluster, 'forgetCoordinator' | 'track' | 'refresh' | 'topic'> {
  coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller>
}

interface JoinAnswer {
  readonly errorCode: number
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]
}

interface SyncAnswer {
  readonly errorCode: number
  readonly memberAssignment: Buffer
}

/** Answers after which to look for the coordinator again. */
export const COORDINATOR_MOVED: ReadonlySet<string> = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])

export class GroupSession {
  readonly #cluster: SessionCluster
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: GroupSessionOptions
  readonly #events: GroupSessionEvents
  readonly #purpose: string
  #memberId = ''
  /** −1 while not in a generation, which is also from the next join on. */
  #generation = -1
  #lastAnswerMs: number
  #closed = false
  #cancelBeat = () => {}
  #cancelExpiry = () => {}

  constructor(
    context: {
      readonly cluster: SessionCluster
      readonly clock: Clock
      readonly logger: Logger
      readonly purpose: string
    },
    options: GroupSessionOptions,
    events: GroupSessionEvents,
  ) {
    this.#cluster = context.cluster
    this.#clock = context.clock
    this.#logger = context.logger
    this.#purpose = context.purpose
    this.#options = options
    this.#events = events
    this.#lastAnswerMs = Number.NEGATIVE_INFINITY
  }

  get memberId(): string {
    return this.#memberId
  }

  get generation(): number {
    return this.#generation
  }

  /** Milliseconds since the coordinator last answered that this member stands; infinite before the first join. */
  ageMs(): number {
    return this.#clock.now() - this.#lastAnswerMs
  }

  coordinator(): Promise<Caller> {
    return this.#cluster.coordinator('group', this.#options.groupId, this.#purpose)
  }

  forgetCoordinator(): void {
    this.#cluster.forgetCoordinator('group', this.#options.groupId)
  }

  /**
   * One attempt to get into the next generation, which lasts until all members have joined. Undefined: the group went on
   * without us in the meantime, try again. Rejects with a retriable error in an outage.
   */
  async join(claim: {
    generation: number
    owned: ReadonlyMap<string, readonly number[]>
  }): Promise<Generation | undefined> {
    this.#endGeneration()
    try {
      const coordinator = await this.coordinator()
      const joined = await this.#sendJoin(coordinator, claim)
      if (joined === undefined) return undefined
      this.#answered()
      const plan = joined.leaderId === joined.memberId ? await this.#divide(joined.members) : undefined
      const answer = await coordinator.call<SyncAnswer>('SyncGroup', {
        groupId: this.#options.groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupAssignment: plan?.shares ?? [],
      })
      if (!this.#accepted(errorName(answer.errorCode), 'Syncing')) return undefined
      this.#answered()
      this.#generation = joined.generationId
      this.#scheduleBeat()
      const share = decodeShare(answer.memberAssignment)
      return { ...share, memberId: joined.memberId, number: joined.generationId, counted: plan?.counted }
    } catch (error) {
      const failure = clientError(error, `Joining group '${this.#options.groupId}'`)
      if (failure.retriable) this.forgetCoordinator()
      throw failure
    }
  }

  /** Says goodbye, so that others need not wait for the session to run out. Never rejects. */
  async leave(): Promise<void> {
    const memberId = this.#memberId
    this.#closed = true
    this.#endGeneration()
    this.#cancelExpiry()
    this.#memberId = ''
    if (memberId === '') return
    try {
      // A connection of its own: on the other one a JoinGroup may be waiting for its answer.
      const coordinator = await this.#cluster.coordinator('group', this.#options.groupId, `${this.#purpose}-leave`)
      await coordinator.call('LeaveGroup', { groupId: this.#options.groupId, memberId })
    } catch (error) {
      this.#logger.warn({ error: String(error) }, 'leaving the group failed: its session will run out instead')
    }
  }

  /** For answers to commits, which know of the end of a session as early as a heartbeat does. */
  expelled(name: string): void {
    if (name === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
    this.#endGeneration()
    this.#cancelExpiry()
    this.#events.onExpelled(name)
  }

  #endGeneration(): void {
    this.#generation = -1
    this.#cancelBeat()
  }

  async #sendJoin(
    coordinator: Caller,
    claim: { generation: number; owned: ReadonlyMap<string, readonly number[]> },
  ): Promise<JoinAnswer | undefined> {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, topics } = this.#options
    const answer = await coordinator.call<JoinAnswer>('JoinGroup', {
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.#memberId,
      protocolType: 'consumer',
      groupProtocols: [{ name: ASSIGNER_NAME, metadata: encodeClaim({ topics, ...claim }) }],
    })
    const name = errorName(answer.errorCode)
    if (name === 'MEMBER_ID_REQUIRED') {
      this.#memberId = answer.memberId
      return this.#sendJoin(coordinator, claim)
    }
    if (!this.#accepted(name, 'Joining')) return undefined
    this.#memberId = answer.memberId
    return answer
  }

  /** True: go on. False: the group has moved on, join again. Throws for everything else. */
  #accepted(name: string, doing: string): boolean {
    if (name === 'NONE') return true
    if (name === 'REBALANCE_IN_PROGRESS' || name === 'ILLEGAL_GENERATION') return false
    if (name === 'UNKNOWN_MEMBER_ID') {
      this.expelled(name)
      return false
    }
    const error = brokerError(name, `${doing} group '${this.#options.groupId}'`)
    if (name !== 'INCONSISTENT_GROUP_PROTOCOL') throw error
    error.message += ' Another application uses this group id: choose another applicationId, or stop that one.'
    throw error
  }

  /** The leader's work: everybody's topics, counted anew, divided; and which of them this group has never read. */
  async #divide(members: JoinAnswer['members']) {
    const claims = members.map(member => decodeClaim(member.memberId, member.memberMetadata))
    const topics = [...new Set(claims.flatMap(claim => claim.topics))]
    this.#cluster.track(topics)
    await this.#cluster.refresh()
    const counted = new Map(topics.map(topic => [topic, this.#cluster.topic(topic)?.leaders.length ?? 0]))
    for (const [topic, count] of counted) {
      if (count === 0) this.#logger.warn({ topic }, 'a member of the group subscribes to a topic that does not exist')
    }
    const all = new Map([...counted].map(([topic, count]) => [topic, Array.from({ length: count }, (_, p) => p)]))
    const committed = await fetchCommitted(this.#cluster, this.#purpose, this.#options.groupId, all)
    const read = new Set([...committed].filter(([, offset]) => offset >= 0).map(([key]) => key.replace(/\/\d+$/, '')))
    const fresh = topics.filter(topic => !read.has(topic))
    const shares = [...assignPartitions(claims, counted)].map(([memberId, partitions]) => ({
      memberId,
      memberAssignment: encodeShare(partitions, fresh),
    }))
    return { shares, counted }
  }

  /** Throws when `leave` came first. */
  #answered(): void {
    if (this.#closed) throw new RunInferenceError('CLOSED', 'The member left its group.')
    this.#lastAnswerMs = this.#clock.now()
    this.#cancelExpiry()
    this.#cancelExpiry = this.#clock.after(this.#options.sessionTimeoutMs, () => {
      this.expelled(`no answer from the coordinator for ${this.#options.sessionTimeoutMs} ms`)
    })
  }

  #scheduleBeat(): void {
    this.#cancelBeat = this.#clock.after(this.#options.heartbeatIntervalMs, () => void this.#beat(this.#generation))
  }

  async #beat(generation: number): Promise<void> {
    const { groupId } = this.#options
    let name: string
    try {
      const coordinator = await this.coordinator()
      const request = { groupId, groupGenerationId: generation, memberId: this.#memberId }
      const answer = await coordinator.call<{ errorCode: number }>('Heartbeat', request)
      name = errorName(answer.errorCode)
    } catch (error) {
      if (generation !== this.#generation) return
      this.forgetCoordinator()
      this.#events.onHeartbeat(clientError(error, `Heartbeat of group '${groupId}'`))
      this.#scheduleBeat()
      return
    }
    if (generation !== this.#generation) return
    if (name === 'UNKNOWN_MEMBER_ID' || name === 'ILLEGAL_GENERATION') return this.expelled(name)
    if (COORDINATOR_MOVED.has(name)) this.forgetCoordinator()
    const stands = name === 'NONE' || name === 'REBALANCE_IN_PROGRESS'
    if (stands) this.#answered()
    this.#events.onHeartbeat(stands ? undefined : brokerError(name, `Heartbeat of group '${groupId}'`))
    if (name === 'REBALANCE_IN_PROGRESS') this.#events.onRebalance()
    if (generation === this.#generation) this.#scheduleBeat()
  }
}
