/**
 * How a member comes by partitions: it makes sure that nobody else can commit for them (`beforeAssigned`), reads what is
 * committed, and only then owns them. For those that a generation brings, and for those that it gives up to take them again.
 *
 * A1 Committed offsets are read behind a fence: `beforeAssigned` comes first in every attempt, and never twice at a time. What
 *    the coordinator of the group does not know yet of a transaction that the fence has ended is waited for.
 * A2 What is given up is lost at once, synchronously, and taken again only after the coordinator has answered a heartbeat
 *    that was sent since: a member that the group has expelled must not fence the new owner.
 * A3 With its generation everything ends that is under way here. What is not owned by then is nobody's for this member: the
 *    next generation names it as new, or gives it to another. So nothing is owned twice, and nothing is forgotten.
 */
import type { RunInferenceError } from '../errors.ts'
import type { MemberEvents, OwnedPartition, StartPosition, TopicPartition } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import type { GroupSession } from './group-session.ts'
import type { Ownership } from './ownership.ts'
import { partitionKey } from './partition-key.ts'
import { clientError } from './protocol-errors.ts'
import { type StartContext, startPositionsInTime } from './start-positions.ts'
import { untilAborted } from './until-aborted.ts'

export interface TakeoverContext {
  readonly cluster: StartContext['cluster']
  readonly session: StartContext['session'] & Pick<GroupSession, 'confirm'>
  readonly clock: Clock
  readonly random: () => number
  readonly purpose: string
  readonly groupId: string
  readonly starts: ReadonlyMap<string, StartPosition>
  readonly ownership: Ownership
  readonly beforeAssigned: ((partitions: readonly TopicPartition[]) => Promise<void>) | undefined
  /** These are owned from now on. */
  readonly onTaken: (partitions: readonly OwnedPartition[]) => void
  /** These were given up. */
  readonly onLost: (partitions: readonly OwnedPartition[]) => void
  readonly onTrouble: (what: string, failure: RunInferenceError | undefined) => void
  readonly onFatal: (error: RunInferenceError) => void
}

/** A generation, while it lasts. */
interface Term {
  readonly over: AbortSignal
  readonly freshTopics: ReadonlySet<string>
  /** Given up, and waiting to be taken again. */
  again: TopicPartition[]
  retaking: boolean
}

/** `MemberEvents.beforeAssigned` as a function that never throws synchronously. */
export function fencing(events: MemberEvents): TakeoverContext['beforeAssigned'] {
  return events.beforeAssigned && (async partitions => events.beforeAssigned!(partitions))
}

export class Takeover {
  readonly #context: TakeoverContext
  #term: Term | undefined
  /** Settles with the last call of `beforeAssigned`. */
  #fencing: Promise<void> = Promise.resolve()

  constructor(context: TakeoverContext) {
    this.#context = context
  }

  /** Takes what a generation adds. False: it was over before. Rejects with what trying again does not mend. */
  begin(added: readonly TopicPartition[], freshTopics: ReadonlySet<string>, over: AbortSignal): Promise<boolean> {
    this.#term = { over, freshTopics, again: [], retaking: false }
    return this.#take(added, this.#term)
  }

  /** A2 */
  restart({ topic, partition, epoch }: TopicPartition & { readonly epoch: number }): void {
    const owned = this.#context.ownership.release(partitionKey(topic, partition), epoch)
    if (owned === undefined) return
    this.#context.onLost([owned])
    const term = this.#term
    // A3
    if (term === undefined || term.over.aborted) return
    term.again.push({ topic, partition })
    if (!term.retaking) void this.#retake(term)
  }

  async #retake(term: Term): Promise<void> {
    term.retaking = true
    try {
      while (term.again.length > 0 && (await this.#confirmed(term))) await this.#take(term.again.splice(0), term)
    } catch (error) {
      this.#context.onFatal(clientError(error, `Taking partitions of group '${this.#context.groupId}' again`))
    }
    term.retaking = false
  }

  /** Waits until the coordinator says that the generation stands; false when it is over. */
  async #confirmed({ over }: Term): Promise<boolean> {
    const backoff = new Backoff(this.#context.clock, this.#context.random)
    while (!over.aborted) {
      if (await this.#context.session.confirm()) return !over.aborted
      await backoff.wait(over)
    }
    return false
  }

  async #take(partitions: readonly TopicPartition[], { over, freshTopics }: Term): Promise<boolean> {
    const { ownership, onTaken, onTrouble, clock, random, beforeAssigned } = this.#context
    const positions = await startPositionsInTime(
      {
        ...this.#context,
        backoff: new Backoff(clock, random),
        over,
        before: () => this.#fence(partitions, over),
        requireStable: beforeAssigned !== undefined,
        onTrouble: failure => onTrouble('start positions', failure),
      },
      partitions,
      freshTopics,
    )
    if (positions === undefined) return false
    const placed = partitions.map(({ topic, partition }) => ({
      topic,
      partition,
      position: positions.get(partitionKey(topic, partition))!,
    }))
    onTaken(ownership.take(placed))
    return true
  }

  /** A1: behind the call before, whatever became of its generation. */
  async #fence(partitions: readonly TopicPartition[], over: AbortSignal): Promise<void> {
    const { beforeAssigned } = this.#context
    if (beforeAssigned === undefined || partitions.length === 0) return
    const fenced = this.#fencing.then(() => (over.aborted ? undefined : beforeAssigned(partitions)))
    this.#fencing = fenced.catch(() => {}) // Who waits for it below hears of it.
    await untilAborted(fenced, over)
  }
}
