/**
 * Commits what was acknowledged, at most every `commitIntervalMs`, the partitions of a group in one request (`group-commits.ts`).
 *
 * K1. An offset is committed only after every record before it was acknowledged (I1).
 * K2. Nothing is committed for a lost partition (I8); the member checks the epoch once more.
 * K3. Offsets of a partition never go back.
 */
import type { GroupMember } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'

export class Commits {
  readonly #member: Pick<GroupMember, 'commit'>
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #onCommitted: (flow: PartitionFlow) => void
  readonly #onError: (error: unknown) => void
  readonly #dirty = new Set<PartitionFlow>()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined

  constructor(
    member: Pick<GroupMember, 'commit'>,
    clock: Clock,
    intervalMs: number,
    onCommitted: (flow: PartitionFlow) => void,
    onError: (error: unknown) => void,
  ) {
    this.#onCommitted = onCommitted
    this.#member = member
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#onError = onError
  }

  /** The flow's `committable` has moved. */
  mark(flow: PartitionFlow): void {
    this.#dirty.add(flow)
    if (this.#cancelTimer !== undefined || this.#running !== undefined) return
    this.#cancelTimer = this.#clock.after(this.#intervalMs, () => {
      this.#cancelTimer = undefined
      this.#run().catch(this.#onError)
    })
  }

  /** Commits everything that is acknowledged by now; what others have meanwhile waits for its interval. */
  async flush(): Promise<void> {
    // The one under way may have begun before.
    if (this.#running !== undefined) await this.#running
    if (this.#dirty.size > 0 || this.#running !== undefined) await this.#run()
  }

  #run(): Promise<void> {
    this.#running ??= this.#commit().finally(() => {
      this.#running = undefined
      const [left] = this.#dirty
      if (left) this.mark(left)
    })
    return this.#running
  }

  async #commit(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const flows = [...this.#dirty].filter(flow => !flow.lost && flow.committable > flow.committed)
    this.#dirty.clear()
    if (flows.length === 0) return
    const requests = flows.map(({ topic, partition, epoch, committable }) => ({
      topic,
      partition,
      epoch,
      offset: committable,
    }))
    const results = await this.#member.commit(requests)
    flows.forEach((flow, i) => {
      if (!results[i]) return
      flow.committed = requests[i]!.offset
      this.#onCommitted(flow)
    })
  }
}
