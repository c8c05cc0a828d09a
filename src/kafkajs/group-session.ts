/**
 * One member's standing in its group: join, sync, heartbeats, leave. It holds the member id and the generation, and
 * tells when they are called into question; what that means for partitions is decided in `member.ts`.
 *
 * S1 Heartbeats go on from the sync of one generation until the join of the next, also while work is drained.
 * S2 An answer to a request of an older generation changes nothing.
 * S3 The session is over when no answer came for `sessionTimeoutMs`, or when the coordinator says so: told at once.
 * S4 An answer counts from when its request was sent. One that was read late, since the process was stopped or starved
 *    meanwhile, says nothing of now: the group may long have given the partitions to others.
 * S5 Heartbeats do not hold up a rebalance: who has not joined `rebalanceTimeoutMs` after it began is out, though all were
 *    answered. It began after the last request whose answer did not tell of it.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Caller } from './channel.ts'
import type { Cluster } from './cluster.ts'
import { divideGroup, type JoinedMember, type LeaderCluster } from './group-leader.ts'
import { GROUP_PROTOCOLS, type GroupProtocol, noneInCommon, offersOf, type Share } from './group-protocol.ts'
import { brokerError, COORDINATOR_MOVED, clientError, errorName } from './protocol-errors.ts'

export interface GroupSessionOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  /** What is offered to the group, the most wanted first; default: all that this version knows. */
  readonly protocols?: readonly GroupProtocol[]
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
export interface SessionCluster extends LeaderCluster, Pick<Cluster, 'forgetCoordinator'> {}

interface JoinAnswer {
  readonly errorCode: number
  readonly generationId: number
  /** The one that the broker has chosen, of those that all members offer. */
  readonly groupProtocol: string
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly JoinedMember[]
}

interface SyncAnswer {
  readonly errorCode: number
  readonly memberAssignment: Buffer
}

export class GroupSession {
  readonly #cluster: SessionCluster
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: GroupSessionOptions
  readonly #events: GroupSessionEvents
  readonly #purpose: string
  readonly #protocols: readonly GroupProtocol[]
  #memberId = ''
  /** −1 while not in a generation, which is also from the next join on. */
  #generation = -1
  /** When the last request was sent whose answer said that this member stands (S4). */
  #stoodAtMs = Number.NEGATIVE_INFINITY
  /** When the last one was sent whose answer told of no rebalance (S5). */
  #calmAtMs = Number.NEGATIVE_INFINITY
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
    this.#protocols = options.protocols ?? GROUP_PROTOCOLS
  }

  get memberId(): string {
    return this.#memberId
  }

  get generation(): number {
    return this.#generation
  }

  /** Milliseconds since this member stood for certain (S4); infinite before the first join. */
  ageMs(): number {
    return this.#clock.now() - this.#stoodAtMs
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
      const protocol = this.#chosen(joined)
      const plan = joined.leaderId === joined.memberId ? await this.#divide(protocol, joined.members) : undefined
      const sentAtMs = this.#clock.now()
      const answer = await coordinator.call<SyncAnswer>('SyncGroup', {
        groupId: this.#options.groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupAssignment: plan?.shares ?? [],
      })
      if (!this.#accepted(errorName(answer.errorCode), 'Syncing')) return undefined
      const leftMs = this.#answered(sentAtMs)
      if (leftMs <= 0) return undefined
      this.#generation = joined.generationId
      // Who waited long for the leader has little of its session left.
      this.#scheduleBeat(Math.min(this.#options.heartbeatIntervalMs, leftMs / 2))
      const share = protocol.decodeShare(answer.memberAssignment)
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
    if (this.#closed) return
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
    const sentAtMs = this.#clock.now()
    const answer = await coordinator.call<JoinAnswer>('JoinGroup', {
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.#memberId,
      protocolType: 'consumer',
      groupProtocols: offersOf(this.#protocols, { topics, ...claim }),
    })
    const name = errorName(answer.errorCode)
    if (name === 'MEMBER_ID_REQUIRED') {
      this.#memberId = answer.memberId
      return this.#sendJoin(coordinator, claim)
    }
    if (!this.#accepted(name, 'Joining')) return undefined
    this.#memberId = answer.memberId
    this.#answered(sentAtMs)
    return answer
  }

  #chosen({ groupProtocol }: JoinAnswer): GroupProtocol {
    const chosen = this.#protocols.find(protocol => protocol.name === groupProtocol)
    if (chosen) return chosen
    throw new RunInferenceError('BUG', `the broker chose the protocol '${groupProtocol}', which was not offered`)
  }

  /** True: go on. False: the group has moved on, join again. Throws for everything else. */
  #accepted(name: string, doing: string): boolean {
    if (name === 'NONE') return true
    if (name === 'REBALANCE_IN_PROGRESS' || name === 'ILLEGAL_GENERATION') return false
    if (name === 'UNKNOWN_MEMBER_ID') {
      this.expelled(name)
      return false
    }
    const { groupId } = this.#options
    const error = brokerError(name, `${doing} group '${groupId}'`, `Read on group '${groupId}'`)
    if (name === 'INCONSISTENT_GROUP_PROTOCOL') error.message += noneInCommon(this.#protocols)
    throw error
  }

  #divide(protocol: GroupProtocol, members: readonly JoinedMember[]) {
    const context = { cluster: this.#cluster, logger: this.#logger, purpose: this.#purpose }
    return divideGroup({ ...context, groupId: this.#options.groupId }, protocol, members)
  }

  /**
   * The member stood when this request was answered, so at some time after it was sent (S4). Returns how much of the session is
   * left at least; none: the timer of the answer before has fired, or is about to. Throws when `leave` came first.
   */
  #answered(sentAtMs: number, isCalm = true): number {
    if (this.#closed) throw new RunInferenceError('CLOSED', 'The member left its group.')
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    if (isCalm) this.#calmAtMs = Math.max(this.#calmAtMs, sentAtMs)
    const untilMs = Math.min(sentAtMs + sessionTimeoutMs, this.#calmAtMs + rebalanceTimeoutMs)
    const leftMs = untilMs - this.#clock.now()
    if (leftMs <= 0 || sentAtMs <= this.#stoodAtMs) return leftMs
    this.#stoodAtMs = sentAtMs
    this.#cancelExpiry()
    this.#cancelExpiry = this.#clock.after(leftMs, () => {
      this.expelled(`no answer from the coordinator for ${sessionTimeoutMs} ms`)
    })
    return leftMs
  }

  /** A heartbeat now. True: the coordinator answered that this member stands, in the generation that it was sent in. */
  async confirm(): Promise<boolean> {
    const generation = this.#generation
    const askedAtMs = this.#clock.now()
    if (generation >= 0) await this.#beat(generation)
    return generation >= 0 && generation === this.#generation && this.#stoodAtMs >= askedAtMs
  }

  #scheduleBeat(delayMs = this.#options.heartbeatIntervalMs): void {
    this.#cancelBeat()
    this.#cancelBeat = this.#clock.after(delayMs, () => void this.#beat(this.#generation))
  }

  async #beat(generation: number): Promise<void> {
    const { groupId } = this.#options
    const sentAtMs = this.#clock.now()
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
    if (stands) this.#answered(sentAtMs, name === 'NONE')
    this.#events.onHeartbeat(stands ? undefined : brokerError(name, `Heartbeat of group '${groupId}'`))
    if (name === 'REBALANCE_IN_PROGRESS') this.#events.onRebalance()
    if (generation === this.#generation) this.#scheduleBeat()
  }
}
