import type { Clock } from '../ops/clock.ts'

/** The main thread was busy for so long beyond the limit, at least, when it is late. */
const LATE_MS = 10
/** What has come meanwhile takes some turns of the event loop to be read. */
const READ_MS = 200

/**
 * Calls `expire` when the answer to a call has not come within `limitMs`; the returned function cancels. Timers run before what was
 * received is read, so an answer may be there already: it is given a turn of the event loop, and more when the main thread is late.
 */
export function startDeadline(clock: Clock, limitMs: number, expire: () => void): () => void {
  const dueAt = clock.now() + limitMs
  let cancel = clock.after(limitMs, () => {
    const isLate = clock.now() - dueAt > LATE_MS
    cancel = clock.after(isLate ? READ_MS : 0, expire)
  })
  return () => cancel()
}
