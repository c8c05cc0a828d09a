/**
 * Commits of one member. The broker would take a commit for a partition that another member owns by now; what keeps
 * that from happening stands here.
 *
 * K1 An offset is sent only while the epoch under which its work was taken is owned; else its answer is false.
 * K2 One OffsetCommit is under way at a time, and of one partition the highest offset goes: a retry never takes a
 *    committed offset back.
 * K3 Nothing is sent between JoinGroup and SyncGroup; what was asked for meanwhile is sent in the next generation.
 * K4 An outage is waited out, with backoff; only an answer that trying again does not mend rejects.
 */
import type { RunInferenceError } from '../errors.ts'
import type { CommitRequest } from '../kafka/port.ts'
import type { Backoff } from './backoff.ts'
import { type CommitSession, needsToCommit, sendOffsetCommit } from './offset-commit.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError, clientError } from './protocol-errors.ts'

interface Pending {
  readonly topic: string
  readonly partition: number
  readonly epoch: number
  offset: number
  readonly waiting: PromiseWithResolvers<boolean>[]
}

export interface CommitsContext {
  readonly groupId: string
  readonly session: CommitSession & {
    /** The coordinator says that the session is over. */
    expelled(name: string): void
  }
  readonly backoff: Backoff
  /** Whether this member owns the partition under this epoch. */
  readonly owns: (key: string, epoch: number) => boolean
  /** A commit failed and is tried again, or works again (undefined). */
  readonly onTrouble: (failure: RunInferenceError | undefined) => void
}

export class Commits {
  readonly #context: CommitsContext
  #pending = new Map<string, Pending>()
  #flushing = false

  constructor(context: CommitsContext) {
    this.#context = context
  }

  commit(requests: readonly CommitRequest[]): Promise<boolean[]> {
    const answers = requests.map(request => this.#enqueue(request))
    this.resume()
    return Promise.all(answers)
  }

  /** To be called when a generation was joined. */
  resume(): void {
    if (!this.#flushing) void this.#flush()
  }

  /** To be called when epochs have ended: their commits are answered false (K1). */
  sweep(): void {
    for (const [key, entry] of this.#pending) {
      if (this.#context.owns(key, entry.epoch)) continue
      this.#pending.delete(key)
      answer(entry, false)
    }
  }

  #enqueue({ topic, partition, epoch, offset }: CommitRequest): Promise<boolean> | boolean {
    const key = partitionKey(topic, partition)
    if (!this.#context.owns(key, epoch)) return false
    const waiter = Promise.withResolvers<boolean>()
    this.#merge(key, { topic, partition, epoch, offset, waiting: [waiter] })
    return waiter.promise
  }

  #merge(key: string, entry: Pending): void {
    const other = this.#pending.get(key)
    if (other === undefined) {
      this.#pending.set(key, entry)
      return
    }
    other.offset = Math.max(other.offset, entry.offset)
    other.waiting.push(...entry.waiting)
  }

  /** K1: the partition may have been lost meanwhile, and taken again: what waits now is of another epoch. */
  #tryAgain(entry: Pending): void {
    const key = partitionKey(entry.topic, entry.partition)
    if (this.#context.owns(key, entry.epoch)) this.#merge(key, entry)
    else answer(entry, false)
  }

  async #flush(): Promise<void> {
    const { session, backoff } = this.#context
    this.#flushing = true
    while (this.#pending.size > 0 && session.generation >= 0) {
      const sent = this.#pending
      this.#pending = new Map()
      const again = await this.#send(sent, session.generation)
      for (const entry of again) this.#tryAgain(entry)
      if (again.length > 0) await backoff.wait()
      else backoff.reset()
    }
    if (this.#pending.size === 0) this.#context.onTrouble(undefined)
    this.#flushing = false
  }

  /** Sends, answers what is decided, and returns what has to be tried again. */
  async #send(entries: ReadonlyMap<string, Pending>, generation: number): Promise<Pending[]> {
    const { session, groupId, onTrouble } = this.#context
    let names: Map<string, string>
    try {
      names = await sendOffsetCommit(session, groupId, [...entries.values()])
    } catch (error) {
      const failure = clientError(error, `Committing offsets of group '${groupId}'`)
      if (failure.retriable) {
        session.forgetCoordinator()
        onTrouble(failure)
        return [...entries.values()]
      }
      for (const entry of entries.values()) reject(entry, failure)
      return []
    }
    const again: Pending[] = []
    let trouble: RunInferenceError | undefined
    for (const [key, entry] of entries) {
      const name = names.get(key) ?? 'UNKNOWN'
      if (name === 'NONE') {
        answer(entry, true)
        continue
      }
      if (name === 'UNKNOWN_MEMBER_ID' || name === 'ILLEGAL_GENERATION') {
        again.push(entry)
        // While the answer travelled a new generation may have begun: then it is about the old one.
        if (session.generation === generation) session.expelled(name)
        continue
      }
      const failure = brokerError(
        name,
        `Committing ${key} for group '${groupId}'`,
        needsToCommit(name, groupId, entry.topic),
      )
      if (failure.retriable || failure.code === 'TOPIC_MISSING') {
        again.push(entry)
        trouble = failure
      } else reject(entry, failure)
    }
    onTrouble(trouble)
    return again
  }
}

function answer(entry: Pending, committed: boolean): void {
  for (const waiter of entry.waiting) waiter.resolve(committed)
}

function reject(entry: Pending, failure: RunInferenceError): void {
  for (const waiter of entry.waiting) waiter.reject(failure)
}
