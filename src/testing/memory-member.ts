/**
 * A group member on the broker in memory. The order of what it tells is that of `MemberEvents`:
 *
 * 1. On notice of a rebalance: fetching stops, `onRebalance`, then the join; heartbeats go on until the join.
 * 2. After the join: `onLost` for what is gone, then `onAssigned` for what is new. What stays is in neither.
 * 3. A partition stays only for the same member id and a generation that is the same or the next one.
 * 4. When the session is over, everything is lost at once.
 * 5. What is new is assigned only behind `beforeAssigned`; heartbeats, and the reading of what stayed, go on meanwhile.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { CommitRequest, GroupMember, MemberEvents, MemberOptions, TopicPartition } from '../kafka/port.ts'
import { sleep } from '../ops/clock.ts'
import { partitionKey, partitionOfKey } from './memory-assignment.ts'
import { MemoryFetcher, type OwnedState } from './memory-fetcher.ts'
import type { JoinAnswer, MemoryGroup } from './memory-group.ts'
import type { MemoryLink } from './memory-link.ts'
import { MemorySession } from './memory-session.ts'
import type { MemoryState } from './memory-state.ts'
import { MemoryTakeover } from './memory-takeover.ts'

export class MemoryMember implements GroupMember {
  readonly #state: MemoryState
  readonly #link: MemoryLink
  readonly #options: MemberOptions
  readonly #events: MemberEvents
  readonly #group: MemoryGroup
  readonly #session: MemorySession
  readonly #fetcher: MemoryFetcher
  readonly #takeover: MemoryTakeover
  readonly #stop = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  readonly #owned = new Map<string, OwnedState>()
  #nextEpoch = 1
  /** While the member is on its way into a generation; commits wait for it. */
  #rejoining: Promise<void> | undefined
  #joined = false
  /** The state is `joined`, or would be if the broker were there. */
  #isSettled = false
  #hasStarted = false
  #degraded = false

  constructor(state: MemoryState, link: MemoryLink, options: MemberOptions, events: MemberEvents) {
    this.#state = state
    this.#link = link
    this.#options = options
    this.#events = events
    this.#group = state.group(options.groupId)
    const outcome = { onFailure: (error: unknown) => this.#onFailure(error), onSuccess: () => this.#onSuccess() }
    this.#session = new MemorySession(state.clock, link, this.#group, options, {
      ...outcome,
      onRebalance: () => this.#noticeRebalance(),
      onExpelled: () => this.#expelled(),
    })
    this.#fetcher = new MemoryFetcher(state, link, options, this.#owned, {
      ...outcome,
      onBlock: (block, epoch) => events.onBlock(block, epoch),
    })
    this.#takeover = new MemoryTakeover({
      link,
      stopped: this.#stop.signal,
      beforeAssigned: events.beforeAssigned && (async partitions => events.beforeAssigned?.(partitions)),
      confirm: () => this.#session.confirm(),
      assign: keys => this.#assign(keys),
      onFailure: outcome.onFailure,
    })
    // Who calls start() hears of a rejection.
    this.#started.promise.catch(() => {})
  }

  async start(): Promise<void> {
    this.#events.onState('connecting')
    for (const { topic } of this.#options.sources) this.#state.topic(topic)
    this.#rejoin(async () => {}).catch(error => this.#fatal(error))
    await this.#started.promise
  }

  pause({ topic, partition }: TopicPartition): void {
    const owned = this.#owned.get(partitionKey(topic, partition))
    if (owned !== undefined) owned.isPaused = true
  }

  resume({ topic, partition }: TopicPartition): void {
    const owned = this.#owned.get(partitionKey(topic, partition))
    if (owned === undefined) return
    owned.isPaused = false
    this.#fetcher.wake()
  }

  restart({ topic, partition, epoch }: TopicPartition & { readonly epoch: number }): void {
    const key = partitionKey(topic, partition)
    if (this.#owned.get(key)?.epoch !== epoch) return
    this.#lose([key])
    this.#takeover.again(key, this.#rejoining !== undefined)
  }

  alive(): boolean {
    return !this.#isJoining && this.heartbeatAgeMs() < this.#options.sessionTimeoutMs
  }

  memberIds(): readonly string[] {
    return this.#session.memberId === '' ? [] : [this.#session.memberId]
  }

  heartbeatAgeMs(): number {
    return this.#session.ageMs()
  }

  async commit(offsets: readonly CommitRequest[]): Promise<readonly boolean[]> {
    const isOwned = ({ topic, partition, epoch }: CommitRequest) =>
      this.#owned.get(partitionKey(topic, partition))?.epoch === epoch
    for (;;) {
      // A retry after waiting looks at the epochs again: they may have ended meanwhile.
      while (this.#isJoining) await this.#rejoining
      if (this.#stop.signal.aborted) throw closed()
      if (!offsets.some(isOwned)) return offsets.map(() => false)
      try {
        await this.#link.pass('commit')
      } catch (error) {
        if (!isRetriable(error)) throw error
        await this.#link.backOff(this.#stop.signal)
        continue
      }
      if (this.#isJoining) continue
      const mine = offsets.map(isOwned)
      const entries = offsets
        .filter((_, i) => mine[i])
        .map(entry => [partitionKey(entry.topic, entry.partition), entry.offset] as const)
      const standing = this.#group.commit(this.#session.memberId, this.#session.generation, entries)
      if (standing === 'ok') return mine
      if (standing === 'unknown') this.#expelled()
    }
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#started.reject(closed())
    this.#joined = false
    const { memberId } = this.#session
    this.#loseEverything()
    // In an outage nobody hears the goodbye: the session runs out instead.
    if (this.#link.isUp) this.#group.remove(memberId)
    this.#events.onState('stopped')
  }

  /** From the join request to its answer: the time in which no commit can be sent. */
  get #isJoining(): boolean {
    return !this.#joined && this.#rejoining !== undefined
  }

  /** Into the next generation, after the drain. One at a time. */
  #rejoin(drain: () => Promise<void>): Promise<void> {
    if (this.#rejoining !== undefined) return this.#rejoining
    const rejoin = async () => {
      await drain()
      this.#joined = false
      this.#session.pause()
      const answer = await this.#joinUntilAnswered()
      if (answer !== undefined) this.#take(answer)
    }
    this.#rejoining = rejoin().finally(() => {
      this.#rejoining = undefined
    })
    return this.#rejoining
  }

  async #joinUntilAnswered(): Promise<JoinAnswer | undefined> {
    const session = this.#session
    while (!this.#stop.signal.aborted) {
      try {
        await this.#link.pass('join')
        if (this.#stop.signal.aborted) return undefined
        if (session.memberId === '') session.memberId = this.#state.memberId()
        const { memberId, generation } = session
        const owned = [...this.#owned.keys(), ...this.#takeover.pending]
        const answer = await this.#group.join({ ...this.#options, memberId, generation, owned })
        if (answer !== undefined || this.#stop.signal.aborted) return answer
        this.#loseEverything()
      } catch (error) {
        if (!isRetriable(error)) throw error
        this.#onFailure(error)
        await this.#link.backOff(this.#stop.signal)
      }
    }
    return undefined
  }

  #take({ generation, partitions }: JoinAnswer): void {
    if (this.#stop.signal.aborted) return
    const session = this.#session
    const isNext = session.generation === -1 || generation - session.generation <= 1
    const kept = new Set(isNext ? partitions.filter(key => this.#owned.has(key)) : [])
    session.begin(generation)
    this.#joined = true
    this.#lose([...this.#owned.keys()].filter(key => !kept.has(key)))
    this.#fetcher.start()
    this.#takeover.begin(partitions.filter(key => !kept.has(key)))
    this.#settle()
  }

  #assign(keys: readonly string[]): void {
    const assigned = keys.map(key => {
      const position = this.#group.offsets.get(key)
      if (position === undefined) throw noOffset(key, this.#options.groupId)
      return { ...partitionOfKey(key), epoch: this.#nextEpoch++, position }
    })
    for (const [i, owned] of assigned.entries()) this.#owned.set(keys[i]!, { ...owned, isPaused: false })
    this.#events.onAssigned(assigned)
    this.#settle()
    this.#fetcher.wake()
  }

  /** Tells that the member has joined, when everything that the generation gave it is assigned. */
  #settle(): void {
    if (this.#takeover.pending.length > 0 || (this.#isSettled && !this.#degraded)) return
    this.#isSettled = true
    this.#degraded = false
    this.#events.onState('joined')
    this.#hasStarted = true
    this.#started.resolve()
  }

  #noticeRebalance(): void {
    if (this.#rejoining !== undefined) return
    this.#unsettle()
    void this.#rejoin(async () => {
      const { drainBudgetMs } = this.#options
      const over = new AbortController()
      const signal = AbortSignal.any([over.signal, this.#stop.signal])
      // A drain that fails has nothing to add: the partitions that move are read again by their next owner.
      const drained = (async () => this.#events.onRebalance(drainBudgetMs))().catch(() => {})
      await Promise.race([drained, sleep(this.#state.clock, drainBudgetMs, signal)])
      over.abort()
    }).catch(error => this.#fatal(error))
  }

  #expelled(): void {
    this.#loseEverything()
    if (this.#rejoining !== undefined) return
    this.#joined = false
    this.#unsettle()
    this.#rejoin(async () => {}).catch(error => this.#fatal(error))
  }

  #unsettle(): void {
    this.#fetcher.stop()
    this.#takeover.halt()
    this.#isSettled = false
    this.#events.onState('rebalancing')
  }

  #loseEverything(): void {
    this.#fetcher.stop()
    this.#takeover.forget()
    this.#session.forget()
    this.#lose([...this.#owned.keys()])
  }

  #lose(keys: readonly string[]): void {
    if (keys.length === 0) return
    const lost = keys.map(key => this.#owned.get(key)!)
    for (const key of keys) this.#owned.delete(key)
    this.#events.onLost(lost.map(({ topic, partition, epoch, position }) => ({ topic, partition, epoch, position })))
  }

  #onSuccess(): void {
    if (!this.#degraded) return
    this.#degraded = false
    this.#events.onState(this.#isSettled ? 'joined' : 'rebalancing')
  }

  #onFailure(error: unknown): void {
    if (!isRetriable(error)) {
      this.#fatal(error)
      return
    }
    if (this.#degraded || this.#stop.signal.aborted) return
    this.#degraded = true
    this.#events.onState('degraded', error as RunInferenceError)
  }

  #fatal(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#fetcher.stop()
    const reason = RunInferenceError.from(error, 'BUG')
    if (this.#hasStarted) this.#events.onFatal(reason)
    else this.#started.reject(reason)
  }
}

function noOffset(key: string, groupId: string): RunInferenceError {
  return new RunInferenceError(
    'OFFSET_OUT_OF_RANGE',
    `Group ${groupId} has no committed offset for ${key}, and its start position is "none": commit one, or choose another`,
  )
}

function closed(): RunInferenceError {
  return new RunInferenceError('CLOSED', 'The group member was stopped')
}
