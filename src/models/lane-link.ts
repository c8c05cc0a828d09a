/** The border between a lane and what it is made of: a host of lane code, reached by messages, that may end at any time. */
import type { FromLane, ToLane } from './lane-messages.ts'

/** A running host: it serves messages in the order of their arrival, with one reply each. */
export interface LaneLink {
  post(message: ToLane): void
  /** Ends the host, whatever it is doing; `ended` follows. Missing where that cannot be done: a thread. */
  readonly kill?: () => void
  /**
   * Of a thread: ends it where that is safe, and `ended` follows. `idle`: as soon as it waits for something, such as a promise of
   * a handler. `busy`: also in the middle of JavaScript. Inside native code neither: that would abort the process.
   */
  readonly end?: (where: 'idle' | 'busy') => void
  /** Of a thread: nobody waits for it any more, not even the process. */
  readonly forsake?: () => void
}

export interface LinkEvents {
  reply(message: FromLane): void
  /** The host has ended, after it was told to close or by itself, and how, for people. Once; no reply follows. */
  ended(how: string): void
}

/** Starts a host; its events come later, never within this call. */
export type OpenLink = (events: LinkEvents) => LaneLink

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
/** A message without its call number. */
export type LaneCall = DistributiveOmit<ToLane, 'call'>
/** A reply that is no failure. */
export type LaneAnswer = Exclude<FromLane, { type: 'failed' }>
