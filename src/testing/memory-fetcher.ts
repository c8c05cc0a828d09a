import { isRetriable } from '../errors.ts'
import type { MemberOptions, TopicPartition } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { MemoryLink } from './memory-link.ts'
import type { MemoryState } from './memory-state.ts'

/** A partition that a member owns, and how far it was read. */
export interface OwnedState extends TopicPartition {
  readonly epoch: number
  position: number
  isPaused: boolean
}

interface FetchEvents {
  readonly onBlock: (block: RecordBlock, epoch: number) => void
  /** A failure that is not retriable also ends the fetching. */
  readonly onFailure: (error: unknown) => void
  readonly onSuccess: () => void
}

/** Brings the records of a member's partitions, woken by writes instead of long polls. */
export class MemoryFetcher {
  readonly #state: MemoryState
  readonly #link: MemoryLink
  readonly #options: MemberOptions
  readonly #owned: ReadonlyMap<string, OwnedState>
  readonly #events: FetchEvents
  #unlisten = () => {}
  #isRunning = false
  #isFetching = false
  /** Changes with every stop: a fetch that was under way then is dropped. */
  #run = 0

  constructor(
    state: MemoryState,
    link: MemoryLink,
    options: MemberOptions,
    owned: ReadonlyMap<string, OwnedState>,
    events: FetchEvents,
  ) {
    this.#state = state
    this.#link = link
    this.#options = options
    this.#owned = owned
    this.#events = events
  }

  start(): void {
    if (!this.#isRunning) {
      this.#isRunning = true
      this.#unlisten = this.#state.onAppend(() => this.wake())
    }
    this.wake()
  }

  stop(): void {
    this.#isRunning = false
    this.#run++
    this.#unlisten()
  }

  /** Looks for records soon; cheap when nothing is there. */
  wake(): void {
    if (!this.#isRunning || this.#isFetching) return
    this.#isFetching = true
    void this.#fetchWhileThereIsMore().finally(() => {
      this.#isFetching = false
      // A stop and start, or a write, may have come while the last look was ending.
      if (this.#isRunning && this.#ready().length > 0) this.wake()
    })
  }

  async #fetchWhileThereIsMore(): Promise<void> {
    const run = this.#run
    // Later, also without a delay: a caller of pause or resume is not called back from inside.
    await undefined
    while (this.#isRunning && run === this.#run) {
      const ready = this.#ready()
      if (ready.length === 0) return
      const before = ready.map(({ epoch, position }) => [epoch, position] as const)
      try {
        await this.#link.pass('fetch')
        if (!this.#isRunning || run !== this.#run) return
        this.#deliver(ready, before)
        this.#events.onSuccess()
      } catch (error) {
        if (!this.#isRunning || run !== this.#run) return
        this.#events.onFailure(error)
        if (!isRetriable(error)) return this.stop()
        await this.#link.backOff()
      }
    }
  }

  /** Owned partitions that are not paused and have something to read, or a position that is not in their log. */
  #ready(): readonly OwnedState[] {
    return [...this.#owned.values()].filter(({ topic, partition, position, isPaused }) => {
      const log = this.#state.topics.get(topic)?.partitions[partition]
      const hasNothing = log !== undefined && position >= log.lastStableOffset && position <= log.end
      return !isPaused && !(hasNothing && position >= log.start)
    })
  }

  #deliver(asked: readonly OwnedState[], before: readonly (readonly [epoch: number, position: number])[]): void {
    const { maxBytesPerFetch, maxBytesPerPartition } = this.#options
    const run = this.#run
    let bytes = 0
    for (const [i, owned] of asked.entries()) {
      if (bytes >= maxBytesPerFetch || run !== this.#run) return
      const isStale = this.#owned.get(`${owned.topic}/${owned.partition}`) !== owned || owned.position !== before[i]![1]
      if (isStale || owned.isPaused) continue
      const block = this.#state.log(owned.topic, owned.partition).read(owned.position, maxBytesPerPartition)
      owned.position = block.nextOffset
      bytes += block.retainedBytes
      this.#events.onBlock(block, owned.epoch)
    }
  }
}
