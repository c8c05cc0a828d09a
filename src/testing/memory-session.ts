import type { Clock } from '../ops/clock.ts'
import type { MemoryGroup } from './memory-group.ts'
import type { MemoryLink } from './memory-link.ts'

interface SessionEvents {
  /** The group wants its members to join again. */
  readonly onRebalance: () => void
  /** The session is over. */
  readonly onExpelled: () => void
  readonly onFailure: (error: unknown) => void
  readonly onSuccess: () => void
}

/** A member's standing in its group: heartbeats from one join to the next, and the time since the last that was answered. */
export class MemorySession {
  readonly #clock: Clock
  readonly #link: MemoryLink
  readonly #group: MemoryGroup
  readonly #options: { readonly heartbeatIntervalMs: number; readonly sessionTimeoutMs: number }
  readonly #events: SessionEvents
  memberId = ''
  /** −1 = none yet. */
  generation = -1
  /** Changes whenever heartbeats begin or end: the answer to an older one is not looked at. */
  #run = 0
  #lastAnswerMs = Number.NEGATIVE_INFINITY
  #cancelBeat = () => {}
  #cancelExpiry = () => {}

  constructor(
    clock: Clock,
    link: MemoryLink,
    group: MemoryGroup,
    options: { readonly heartbeatIntervalMs: number; readonly sessionTimeoutMs: number },
    events: SessionEvents,
  ) {
    this.#clock = clock
    this.#link = link
    this.#group = group
    this.#options = options
    this.#events = events
  }

  /** The group has taken the member into a generation. */
  begin(generation: number): void {
    this.generation = generation
    this.#run++
    this.#answered()
    this.#schedule()
  }

  /** No heartbeats from here on: the member joins again, or leaves. */
  pause(): void {
    this.#run++
    this.#cancelBeat()
    this.#cancelExpiry()
  }

  /** The member is none any more. */
  forget(): void {
    this.pause()
    this.memberId = ''
    this.generation = -1
    this.#lastAnswerMs = Number.NEGATIVE_INFINITY
  }

  ageMs(): number {
    return this.#clock.now() - this.#lastAnswerMs
  }

  /** One heartbeat now. True: the member stands, and the group is not about to divide its partitions anew. */
  async confirm(): Promise<boolean> {
    const run = this.#run
    await this.#link.pass('heartbeat')
    if (run !== this.#run) return false
    const standing = this.#group.heartbeat(this.memberId, this.generation)
    if (standing === 'unknown') {
      this.#events.onExpelled()
      return false
    }
    this.#answered()
    this.#events.onSuccess()
    if (standing === 'rebalance') this.#events.onRebalance()
    return standing === 'ok'
  }

  #schedule(): void {
    this.#cancelBeat()
    const run = this.#run
    this.#cancelBeat = this.#clock.after(this.#options.heartbeatIntervalMs, () => void this.#beat(run))
  }

  async #beat(run: number): Promise<void> {
    try {
      await this.confirm()
    } catch (error) {
      if (run === this.#run) this.#events.onFailure(error)
    }
    if (run === this.#run) this.#schedule()
  }

  #answered(): void {
    this.#lastAnswerMs = this.#clock.now()
    this.#cancelExpiry()
    this.#cancelExpiry = this.#clock.after(this.#options.sessionTimeoutMs, () => this.#events.onExpelled())
  }
}
