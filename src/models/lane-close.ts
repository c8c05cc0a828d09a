/**
 * How a worker that was told to close is ended when it does not: a process is killed in time; a thread ends where it waits for
 * something, then in the middle of JavaScript, and inside native code not at all. A thread whose calls end, one after the other, is
 * left alone: its time begins anew with each.
 */
import type { Clock } from '../ops/clock.ts'
import { LAST_CLOSE_MS } from './executor.ts'
import type { LaneLink } from './lane-link.ts'

const KILL_MS = 3_000
/** A thread needs a while to end. */
const ASK_MS = 2_000
/** When the application ends: less than LAST_CLOSE_MS by what the end of a thread takes. */
const SOON_MS = 2_500

export interface CloseParts {
  readonly clock: Clock
  /** A thread that nobody waits for may be in JavaScript for so long; Infinity: always. */
  readonly stuckMs: number
  /** When the call that runs came to its turn. */
  readonly since: () => number
}

/** Ends a worker that does not close; the returned function ends the watch. */
export function endWhenLate({ kill, end }: LaneLink, { clock, stuckMs, since }: CloseParts): () => void {
  if (kill) return clock.after(KILL_MS, kill)
  if (!end) return () => {}
  const cancels = [whenStuck(clock, ASK_MS, since, () => end('idle'))]
  if (Number.isFinite(stuckMs)) cancels.push(whenStuck(clock, Math.max(stuckMs, ASK_MS), since, () => end('busy')))
  return () => cancels.forEach(cancel => void cancel())
}

/** Resolves with `closing`, or when a call has not ended for LAST_CLOSE_MS. */
export async function closedSoon(closing: Promise<void>, { end, forsake }: LaneLink, parts: CloseParts): Promise<void> {
  const { clock, since } = parts
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const giveUp = () => {
    // Not before: the process would end while it waits for this, since timers alone do not keep it.
    forsake?.()
    resolve()
  }
  const cancels = [
    whenStuck(clock, SOON_MS, since, () => end?.('busy')),
    whenStuck(clock, LAST_CLOSE_MS, since, giveUp),
  ]
  await Promise.race([closing, late])
  for (const cancel of cancels) cancel()
}

/** Acts when one call has had so long since this call. */
function whenStuck(clock: Clock, ms: number, since: () => number, act: () => void): () => void {
  const startedAt = clock.now()
  let cancel = clock.after(ms, look)
  function look(): void {
    const leftMs = Math.max(startedAt, since()) + ms - clock.now()
    if (leftMs <= 0) act()
    else cancel = clock.after(leftMs, look)
  }
  return () => cancel()
}
