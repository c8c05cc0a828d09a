/**
 * A group member on the broker in memory. The order of what it tells is that of `MemberEvents`:
 *
 * 1. On notice of a rebalance: fetching stops, `onRebalance`, then the join; heartbeats go on until the join.
 * 2. After the join: `onLost` for what is gone, then `onAssigned` for what is new. What stays is in neither.
 * 3. A partition stays only for the same member id and a generation that is the same or the next one.
 * 4. When the session is over, everything is lost at once.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type {
  CommitRequest,
  GroupMember,
  MemberEvents,
  MemberOptions,
  OwnedPartition,
  TopicPartition,
} from '../kafka/port.ts'
import { sleep } from '../ops/clock.ts'
import { partitionKey, partitionOfKey } from './memory-assignment.ts'
import { MemoryFetcher, type OwnedState } from './memory-fetcher.ts'
import type { JoinAnswer, MemoryGroup } from './memory-group.ts'
import type { MemoryState } from './memory-state.ts'

export class MemoryMember implements GroupMember {
  readonly #state: MemoryState
  readonly #options: MemberOptions
  readonly #events: MemberEvents
  readonly #group: MemoryGroup
  readonly #fetcher: MemoryFetcher
  readonly #stop = new AbortController()
  readonly #owned = new Map<string, OwnedState>()
  #memberId = ''
  #generation = -1
  #nextEpoch = 1
  #lastAnswerMs = Number.NEGATIVE_INFINITY
  /** While the member is on its way into a generation; commits wait for it. */
  #rejoining: Promise<void> | undefined
  #joined = false
  #degraded = false
  #cancelBeat = () => {}
  #cancelExpiry = () => {}

  constructor(state: MemoryState, options: MemberOptions, events: MemberEvents) {
    this.#state = state
    this.#options = options
    this.#events = events
    this.#group = state.group(options.groupId)
    this.#fetcher = new MemoryFetcher(state, options, this.#owned, {
      onBlock: (block, epoch) => events.onBlock(block, epoch),
      onFailure: error => this.#onFailure(error),
      onSuccess: () => this.#onSuccess(),
    })
  }

  async start(): Promise<void> {
    this.#events.onState('connecting')
    for (const { topic } of this.#options.sources) this.#state.topic(topic)
    await this.#rejoin(async () => {})
    if (this.#stop.signal.aborted) throw closed()
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

  restart(_partition: TopicPartition & { readonly epoch: number }): void {
    throw new RunInferenceError('BUG', 'taking a partition over anew is not there yet')
  }

  alive(): boolean {
    return this.heartbeatAgeMs() < this.#options.sessionTimeoutMs
  }

  heartbeatAgeMs(): number {
    return this.#state.clock.now() - this.#lastAnswerMs
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
        await this.#state.faults.pass('commit')
      } catch (error) {
        if (!isRetriable(error)) throw error
        await this.#state.faults.backOff(this.#stop.signal)
        continue
      }
      if (this.#isJoining) continue
      const mine = offsets.map(isOwned)
      const entries = offsets
        .filter((_, i) => mine[i])
        .map(entry => [partitionKey(entry.topic, entry.partition), entry.offset] as const)
      const standing = this.#group.commit(this.#memberId, this.#generation, entries)
      if (standing === 'ok') return mine
      if (standing === 'unknown') this.#expelled()
    }
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#fetcher.stop()
    this.#stop.abort()
    this.#cancelBeat()
    this.#cancelExpiry()
    this.#joined = false
    const memberId = this.#memberId
    this.#loseEverything()
    // In an outage nobody hears the goodbye: the session runs out instead.
    if (this.#state.faults.isUp) this.#group.remove(memberId)
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
      this.#cancelBeat()
      this.#cancelExpiry()
      const answer = await this.#joinUntilAnswered()
      if (answer !== undefined) this.#take(answer)
    }
    this.#rejoining = rejoin().finally(() => {
      this.#rejoining = undefined
    })
    return this.#rejoining
  }

  async #joinUntilAnswered(): Promise<JoinAnswer | undefined> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#state.faults.pass('join')
        if (this.#stop.signal.aborted) return undefined
        if (this.#memberId === '') this.#memberId = this.#state.memberId()
        const { groupId: _, ...options } = this.#options
        const claim = {
          ...options,
          memberId: this.#memberId,
          generation: this.#generation,
          owned: [...this.#owned.keys()],
        }
        const answer = await this.#group.join(claim)
        if (answer !== undefined || this.#stop.signal.aborted) return answer
        this.#loseEverything()
      } catch (error) {
        if (!isRetriable(error)) throw error
        this.#onFailure(error)
        await this.#state.faults.backOff(this.#stop.signal)
      }
    }
    return undefined
  }

  #take({ generation, partitions }: JoinAnswer): void {
    if (this.#stop.signal.aborted) return
    const isNext = this.#generation === -1 || generation === this.#generation || generation === this.#generation + 1
    const kept = new Set(isNext ? partitions.filter(key => this.#owned.has(key)) : [])
    this.#generation = generation
    this.#joined = true
    this.#degraded = false
    this.#answered()
    this.#scheduleBeat()
    this.#lose([...this.#owned.keys()].filter(key => !kept.has(key)))
    const assigned: OwnedPartition[] = []
    for (const key of partitions) {
      if (kept.has(key)) continue
      const position = this.#group.offsets.get(key)
      if (position === undefined) throw noOffset(key, this.#options.groupId)
      const owned = { ...partitionOfKey(key), epoch: this.#nextEpoch++, position, isPaused: false }
      this.#owned.set(key, owned)
      assigned.push({ topic: owned.topic, partition: owned.partition, epoch: owned.epoch, position })
    }
    if (assigned.length > 0) this.#events.onAssigned(assigned)
    this.#events.onState('joined')
    this.#fetcher.start()
  }

  #noticeRebalance(): void {
    if (this.#rejoining !== undefined) return
    this.#fetcher.stop()
    this.#events.onState('rebalancing')
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
    this.#fetcher.stop()
    this.#loseEverything()
    if (this.#rejoining !== undefined) return
    this.#joined = false
    this.#events.onState('rebalancing')
    this.#rejoin(async () => {}).catch(error => this.#fatal(error))
  }

  #loseEverything(): void {
    this.#memberId = ''
    this.#generation = -1
    this.#lastAnswerMs = Number.NEGATIVE_INFINITY
    this.#lose([...this.#owned.keys()])
  }

  #lose(keys: readonly string[]): void {
    if (keys.length === 0) return
    const lost = keys.map(key => this.#owned.get(key)!)
    for (const key of keys) this.#owned.delete(key)
    this.#events.onLost(lost.map(({ topic, partition, epoch, position }) => ({ topic, partition, epoch, position })))
  }

  #scheduleBeat(): void {
    this.#cancelBeat()
    this.#cancelBeat = this.#state.clock.after(this.#options.heartbeatIntervalMs, () => void this.#beat())
  }

  async #beat(): Promise<void> {
    const generation = this.#generation
    try {
      await this.#state.faults.pass('heartbeat')
      if (!this.#joined || generation !== this.#generation) return
      const standing = this.#group.heartbeat(this.#memberId, generation)
      if (standing === 'unknown') return this.#expelled()
      this.#answered()
      this.#onSuccess()
      if (standing === 'rebalance') this.#noticeRebalance()
    } catch (error) {
      if (!this.#joined || generation !== this.#generation) return
      this.#onFailure(error)
    }
    if (this.#joined) this.#scheduleBeat()
  }

  #answered(): void {
    this.#lastAnswerMs = this.#state.clock.now()
    this.#cancelExpiry()
    this.#cancelExpiry = this.#state.clock.after(this.#options.sessionTimeoutMs, () => this.#expelled())
  }

  #onSuccess(): void {
    if (!this.#degraded) return
    this.#degraded = false
    this.#events.onState(this.#rejoining === undefined ? 'joined' : 'rebalancing')
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
    this.#events.onFatal(RunInferenceError.from(error, 'BUG'))
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
