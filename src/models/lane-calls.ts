/**
 * The main thread's end of a lane: calls out, replies in, and what happens when the worker is gone.
 *
 * 1. Every call ends: with its reply, or with LANE_LOST when the worker ended by itself.
 * 2. A lost lane starts a fresh worker with the next call; `generation` tells what was loaded before from what was after.
 * 3. `close` lets the calls that were made before it end, then waits for the worker's own end.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { type FromLane, reviveError, type ToLane } from './lane-messages.ts'

/** A running host of lane code, reached by messages. */
export interface LaneLink {
  post(message: ToLane): void
  /** Resolves when the host has ended, after it has answered `close`. */
  readonly ended: Promise<void>
}

export interface LinkEvents {
  reply(message: FromLane): void
  /** The host ended without being asked to. At most once; no reply follows. */
  lost(reason: RunInferenceError): void
}

/** Starts a host. A child process fits behind this as well as a thread does. */
export type OpenLink = (events: LinkEvents) => LaneLink

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
export type LaneCall = DistributiveOmit<ToLane, 'call'>
type Answer = Exclude<FromLane, { type: 'failed' }>
interface Waiting {
  resolve(reply: Answer): void
  reject(error: RunInferenceError): void
}

export class LaneCalls {
  readonly #name: string
  readonly #openLink: OpenLink
  readonly #clock: Clock
  readonly #onLost: (reason: RunInferenceError) => void
  readonly #waiting = new Map<number, Waiting>()
  #link: LaneLink | undefined
  #closing: Promise<void> | undefined
  #generation = 0
  #lastCall = 0
  #headSince = 0

  constructor(name: string, openLink: OpenLink, clock: Clock, onLost: (reason: RunInferenceError) => void) {
    this.#name = name
    this.#openLink = openLink
    this.#clock = clock
    this.#onLost = onLost
  }

  /** Grows by one whenever the worker was lost. */
  get generation(): number {
    return this.#generation
  }

  /** How long the oldest unanswered call has been at the head of the queue. */
  busyMs(): number {
    return this.#waiting.size === 0 ? 0 : this.#clock.now() - this.#headSince
  }

  /** Throws CLOSED after `close`. */
  mustBeOpen(): void {
    if (this.#closing === undefined) return
    throw new RunInferenceError('CLOSED', `${this.#name} was closed; no call is taken any more`)
  }

  /** Rejects LANE_LOST when the worker ends, CLOSED after `close`, else what the lane answers. */
  async call(message: LaneCall): Promise<Answer> {
    this.mustBeOpen()
    return this.#post(message)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const link = this.#link
    if (!link) return
    try {
      await this.#post({ type: 'close' })
      await link.ended
    } catch (error) {
      // Lost while closing: it has ended, which is all that was wanted, and `onLost` was told why.
      if (!(error instanceof RunInferenceError && error.code === 'LANE_LOST')) throw error
    }
  }

  #post(message: LaneCall): Promise<Answer> {
    this.#link ??= this.#open()
    const link = this.#link
    const call = ++this.#lastCall
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#headSince = this.#clock.now()
      this.#waiting.set(call, { resolve, reject })
      try {
        link.post({ ...message, call })
      } catch (error) {
        this.#waiting.delete(call)
        reject(RunInferenceError.from(error, 'BUG', `a '${message.type}' message cannot be sent to ${this.#name}`))
      }
    })
  }

  #open(): LaneLink {
    const generation = this.#generation
    return this.#openLink({
      reply: message => {
        if (generation === this.#generation) this.#answered(message)
      },
      lost: reason => {
        if (generation === this.#generation) this.#lost(reason)
      },
    })
  }

  #answered(reply: FromLane): void {
    const waiting = this.#waiting.get(reply.call)
    if (!waiting) return
    this.#waiting.delete(reply.call)
    this.#headSince = this.#clock.now()
    if (reply.type === 'failed') waiting.reject(reviveError(reply.error))
    else waiting.resolve(reply)
  }

  #lost(reason: RunInferenceError): void {
    this.#generation++
    this.#link = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(reason)
    this.#onLost(reason)
  }
}
