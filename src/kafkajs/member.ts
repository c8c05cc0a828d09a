/**
 * A member of a consumer group: owns partitions, reads them, commits for them, and gives them up in time. The group's
 * protocol is in `group-session.ts`, reading in `reader.ts`, commits in `commits.ts`, how partitions are taken in
 * `takeover.ts`; here stands what happens when.
 *
 * G1 On notice of a rebalance fetching stops, heartbeats go on, and work in flight has `drainBudgetMs` to be finished
 *    and committed; then the member joins again.
 * G2 What a new generation does not continue is lost before anything new is assigned; what it continues keeps its epoch.
 * G3 When the coordinator or the clock says that the session is over, everything is lost at once, synchronously.
 * G4 An outage is waited out: every loop here ends only by `stop` or by an error that trying again does not mend.
 */
import { RunInferenceError } from '../errors.ts'
import type {
  CommitRequest,
  ConnectionState,
  GroupMember,
  MemberEvents,
  MemberOptions,
  OwnedPartition,
  TopicPartition,
} from '../kafka/port.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { Commits } from './commits.ts'
import { type Generation, GroupSession } from './group-session.ts'
import { Ownership } from './ownership.ts'
import { partitionKey } from './partition-key.ts'
import { clientError } from './protocol-errors.ts'
import { Reader } from './reader.ts'
import { fencing, Takeover } from './takeover.ts'
import { requireTopics } from './topic-check.ts'
import { Troubles } from './troubles.ts'

export interface MemberContext {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** Names this member's connections; unique within the cluster object. */
  readonly purpose: string
}

/** How long `stop` waits for the coordinator's goodbye. */
const LEAVE_MS = 2_000

export class Member implements GroupMember {
  readonly #context: MemberContext
  readonly #options: MemberOptions
  readonly #events: MemberEvents
  readonly #ownership = new Ownership()
  readonly #session: GroupSession
  readonly #reader: Reader
  readonly #commits: Commits
  readonly #takeover: Takeover
  readonly #troubles: Troubles
  readonly #backoff: Backoff
  readonly #stopped = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  readonly #ignoreRefreshes: () => void
  #phase: ConnectionState = 'connecting'
  #running: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #counted: ReadonlyMap<string, number> | undefined
  /** Resolves when the present generation has to be left; true when work may be drained first. */
  #leave = Promise.withResolvers<boolean>()
  /** Aborted at the same time. */
  #over = new AbortController()
  #failed = false

  constructor(context: MemberContext, options: MemberOptions, events: MemberEvents) {
    const { cluster, clock, random, logger, purpose } = context
    this.#context = context
    this.#options = options
    this.#events = events
    this.#backoff = new Backoff(clock, random)
    this.#troubles = new Troubles(logger, first => this.#reportTrouble(first))
    const groupOptions = { ...options, topics: options.sources.map(source => source.topic) }
    this.#session = new GroupSession({ cluster, clock, logger, purpose: `${purpose}:group` }, groupOptions, {
      onRebalance: () => this.#leaveGeneration(true),
      onExpelled: reason => this.#expelled(reason),
      onHeartbeat: failure => {
        // The session would go on for a while; nothing that is done meanwhile could be committed.
        if (failure && !failure.retriable) this.#fatal(failure)
        else this.#troubles.note('heartbeat', failure)
      },
    })
    this.#reader = new Reader({
      ...context,
      settings: options,
      onBlock: (block, epoch) => events.onBlock(block, epoch),
      onTrouble: (what, failure) => this.#troubles.note(what, failure),
      onFatal: error => this.#fatal(error),
    })
    this.#commits = new Commits({
      groupId: options.groupId,
      session: this.#session,
      backoff: new Backoff(clock, random),
      owns: (key, epoch) => this.#ownership.owns(key, epoch),
      onTrouble: failure => this.#troubles.note('commit', failure),
    })
    this.#takeover = new Takeover({
      ...{ cluster, clock, random, session: this.#session, ownership: this.#ownership },
      purpose: `${purpose}:group`,
      groupId: options.groupId,
      starts: new Map(options.sources.map(source => [source.topic, source.start])),
      beforeAssigned: fencing(events),
      onTaken: partitions => this.#taken(partitions),
      onLost: partitions => this.#lost(partitions),
      onTrouble: (what, failure) => this.#troubles.note(what, failure),
      onFatal: error => this.#fatal(error),
    })
    this.#ignoreRefreshes = cluster.onRefresh(() => this.#noticeGrowth())
    // Who calls start() hears of a rejection; where nobody did, it must not end the process.
    this.#started.promise.catch(() => {})
  }

  start(): Promise<void> {
    this.#running ??= this.#run()
    return this.#started.promise
  }

  pause(partition: TopicPartition): void {
    this.#reader.pause(partition)
  }

  resume(partition: TopicPartition): void {
    this.#reader.resume(partition)
  }

  commit(offsets: readonly CommitRequest[]): Promise<readonly boolean[]> {
    return this.#commits.commit(offsets)
  }

  restart(partition: TopicPartition & { readonly epoch: number }): void {
    this.#takeover.restart(partition)
  }

  alive(): boolean {
    return this.#session.generation >= 0 && this.heartbeatAgeMs() < this.#options.sessionTimeoutMs
  }

  memberIds(): readonly string[] {
    return this.#session.memberId === '' ? [] : [this.#session.memberId]
  }

  heartbeatAgeMs(): number {
    return this.#session.ageMs()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    this.#reader.stop()
    this.#ignoreRefreshes()
    this.#lost(this.#ownership.clear())
    this.#leaveGeneration(false)
    this.#started.reject(new RunInferenceError('CLOSED', 'The member was stopped before it had joined.'))
    const { cluster, clock, purpose } = this.#context
    await Promise.race([this.#session.leave(), sleep(clock, LEAVE_MS)])
    cluster.closePurposes(`${purpose}:`)
    // The loop ends by itself, silently; a broker that does not answer must not hold up who stops.
    await Promise.race([this.#running, sleep(clock, LEAVE_MS)])
    this.#setPhase('stopped')
  }

  async #run(): Promise<void> {
    this.#setPhase('connecting')
    while (!this.#stopped.signal.aborted) {
      try {
        const joined = await this.#joinOnce()
        this.#troubles.note('group', undefined)
        if (!joined) {
          await this.#backoff.wait(this.#stopped.signal)
          continue
        }
        this.#backoff.reset()
        const mayDrain = await this.#leave.promise
        if (mayDrain) await this.#drain()
      } catch (error) {
        const failure = clientError(error, `Group '${this.#options.groupId}'`)
        if (this.#stopped.signal.aborted) return
        if (!failure.retriable) {
          this.#fatal(failure)
          return
        }
        this.#troubles.note('group', failure)
        await this.#backoff.wait(this.#stopped.signal)
      }
    }
  }

  /** False when the group went on without us: try again. */
  async #joinOnce(): Promise<boolean> {
    const topics = this.#options.sources.map(source => source.topic)
    if (this.#phase === 'connecting') await requireTopics(this.#context, topics)
    this.#counted = undefined
    const generation = await this.#session.join(this.#ownership.claim())
    if (generation === undefined || this.#stopped.signal.aborted) return false
    this.#leave = Promise.withResolvers()
    this.#over = new AbortController()
    await this.#enter(generation)
    return true
  }

  async #enter(generation: Generation): Promise<void> {
    const { lost, added } = this.#ownership.enter(generation)
    this.#counted = generation.counted
    this.#lost(lost)
    this.#commits.resume()
    this.#reader.run()
    if (!(await this.#takeover.begin(added, generation.freshTopics, this.#over.signal))) return
    this.#context.logger.info(
      { generation: generation.number, added: added.length, lost: lost.length },
      'joined the group',
    )
    this.#setPhase('joined')
    this.#started.resolve()
  }

  #taken(partitions: readonly OwnedPartition[]): void {
    if (partitions.length > 0) this.#events.onAssigned(partitions)
    const owns = ({ topic, partition, epoch }: OwnedPartition) =>
      this.#ownership.owns(partitionKey(topic, partition), epoch)
    this.#reader.add(partitions.filter(owns))
  }

  /** G1 */
  async #drain(): Promise<void> {
    const { clock, logger } = this.#context
    const { drainBudgetMs } = this.#options
    this.#reader.halt()
    this.#setPhase('rebalancing')
    const ended = new AbortController()
    const drain = async () => this.#events.onRebalance(drainBudgetMs)
    const drained = drain().catch((error: unknown) => {
      logger.error({ error: String(error) }, 'draining before a rebalance failed; the member joins again all the same')
    })
    await Promise.race([drained, sleep(clock, drainBudgetMs, AbortSignal.any([ended.signal, this.#stopped.signal]))])
    ended.abort()
  }

  #leaveGeneration(mayDrain: boolean): void {
    this.#over.abort()
    this.#leave.resolve(mayDrain)
  }

  /** G3 */
  #expelled(reason: string): void {
    this.#context.logger.warn({ reason }, 'the group goes on without this member: its partitions are lost')
    this.#reader.halt()
    this.#lost(this.#ownership.clear())
    this.#leaveGeneration(false)
  }

  #lost(partitions: readonly OwnedPartition[]): void {
    this.#reader.remove(partitions)
    const gone = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)))
    this.#troubles.forget(what => gone.has(what))
    if (partitions.length > 0) this.#events.onLost(partitions)
    this.#commits.sweep()
  }

  /** The leader divides anew when a topic has grown: new partitions belong to nobody until then. */
  #noticeGrowth(): void {
    if (this.#over.signal.aborted || this.#counted === undefined) return
    for (const [topic, count] of this.#counted) {
      const now = this.#context.cluster.topic(topic)?.leaders.length ?? 0
      if (now <= count) continue
      this.#context.logger.info({ topic, partitions: now }, 'the topic has grown: the group divides it anew')
      this.#counted = undefined
      this.#leaveGeneration(true)
      return
    }
  }

  #fatal(error: RunInferenceError): void {
    if (this.#failed) return
    this.#failed = true
    this.#reader.halt()
    if (this.#phase === 'connecting') this.#started.reject(error)
    else this.#events.onFatal(error)
  }

  #setPhase(phase: ConnectionState): void {
    this.#phase = phase
    this.#events.onState(phase)
    // Told of both: a rebalance is over, whatever fails besides.
    if (phase === 'joined' && this.#troubles.first) this.#reportTrouble(this.#troubles.first)
  }

  #reportTrouble(first: RunInferenceError | undefined): void {
    if (!this.#stopped.signal.aborted) this.#events.onState(first ? 'degraded' : this.#phase, first)
  }
}
