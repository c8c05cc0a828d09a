/** The port between the pipeline and whatever runs the functions of a step for it. */
import type { RunInferenceError } from '../errors.ts'
import { packElements, unpackElements } from './carried-elements.ts'
import type { FunctionReply, FunctionRequest } from './function-messages.ts'
import { notCloneable } from './function-results.ts'
import { reviveError } from './lane-messages.ts'
import type { FunctionSide } from './user-function.ts'
import { WaitingQueue } from './waiting-queue.ts'

/** One element that the functions on one side are for, made by whoever wants its result. */
export interface FunctionJob {
  readonly value: unknown
  /** Its partition was lost: nothing of it is wanted. */
  readonly isLost: boolean
  done(result: unknown): void
  /** `index`: of the function that failed. */
  failed(index: number, error: RunInferenceError): void
}

export interface FunctionLane {
  /** Every job ends exactly once, in any order, unless it is lost or the lane is closed first. */
  push(side: FunctionSide, job: FunctionJob): void
  /** Forgets jobs that wait and are not wanted any more. */
  dropLost(): void
  /** Nothing is done any more, and what is under way is ignored. */
  close(): Promise<void>
}

/** A job that waits or is under way. */
export interface Entry {
  readonly side: FunctionSide
  readonly job: FunctionJob
  /** Workers that it ended while nothing else was in them. */
  losses: number
}

/** Elements of one message at most: enough to pay for it, few enough that the other side soon has results. */
const MAX_CHUNK = 256

/** Jobs in the order in which they came, taken in chunks of one side. */
export class EntryQueue {
  readonly #entries = new WaitingQueue<Entry>()

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  add(entry: Entry): void {
    this.#entries.add(entry)
  }

  /** Back to the front. */
  putBack(entries: readonly Entry[]): void {
    this.#entries.putBack(entries)
  }

  /** The next entries of one side that are still wanted. */
  take(): Entry[] {
    const taken: Entry[] = []
    for (let next = this.#entries.first; next && taken.length < MAX_CHUNK; next = this.#entries.first) {
      if (!next.job.isLost && taken.length > 0 && next.side !== taken[0]!.side) break
      this.#entries.take()
      if (!next.job.isLost) taken.push(next)
    }
    return taken
  }

  dropLost(): void {
    this.#entries.keep(({ job }) => !job.isLost)
  }

  clear(): void {
    this.#entries.clear()
  }
}

/** What goes to the other side: those that cannot be copied have failed then, and are left out. */
export function requestOf(
  chunk: number,
  entries: readonly Entry[],
): { readonly request: FunctionRequest; readonly entries: readonly Entry[] } | undefined {
  const { side } = entries[0]!
  const pack = (given: readonly Entry[]) => {
    const elements = packElements(given.map(({ job }) => job.value))
    return { request: { chunk, side, elements }, entries: given }
  }
  try {
    return pack(entries)
  } catch {
    const good = entries.filter(({ job }) => {
      const error = notCloneable(job.value, `${side} function 0: its input`)
      if (error) job.failed(0, error)
      return !error
    })
    return good.length > 0 ? pack(good) : undefined
  }
}

/** Ends the jobs of a chunk. */
export function settle(entries: readonly Entry[], { results, failures }: FunctionReply): void {
  const values = results.flatMap(unpackElements)
  const failed = new Map(failures.map(failure => [failure.position, failure]))
  for (const [position, { job }] of entries.entries()) {
    const failure = failed.get(position)
    if (failure) job.failed(failure.index, reviveError(failure.error))
    else job.done(values[position])
  }
}
