import type { Clock } from './clock.ts'

const LOOK_MS = 1_000

/**
 * Looks once a second, until `look` returns true. Not where the process or the machine stood still before (SIGSTOP, suspend): what
 * is looked at stood still as well, and has a second to go on. The returned function ends it.
 */
export function lookEverySecond(clock: Pick<Clock, 'now' | 'after'>, look: () => boolean): () => void {
  let dueMs = clock.now() + LOOK_MS
  const check = () => {
    const stoodStill = clock.now() - dueMs > LOOK_MS
    dueMs = clock.now() + LOOK_MS
    if (stoodStill || !look()) cancel = clock.after(LOOK_MS, check)
  }
  let cancel = clock.after(LOOK_MS, check)
  return () => cancel()
}
