import type { Clock } from '../ops/clock.ts'

/** A clock that stands still until it is told to go on: with it, a test decides everything that depends on time. */
export interface ManualClock extends Clock {
  /**
   * Goes on by this many milliseconds. Timers fire in the order of their times (of equal times: in the order in which they
   * were set), each at its own time; between two of them everything that can run without time runs. Calls queue up.
   */
  advance(ms: number): Promise<void>
  /** Lets everything run that needs no time. */
  settle(): Promise<void>
  /** Milliseconds until the next timer; undefined when there is none. */
  nextTimerMs(): number | undefined
}

interface Timer {
  readonly due: number
  readonly call: () => void
}

/** @param wallStart what `wallTime` says at the start, in milliseconds since 1970 */
export function createManualClock(wallStart = Date.UTC(2026, 0, 1)): ManualClock {
  let now = 0
  // Few timers at a time: a sorted list is enough, and its order is plain.
  const timers: Timer[] = []
  let running: Promise<void> = Promise.resolve()

  async function go(ms: number): Promise<void> {
    const until = now + ms
    await settled()
    for (let next = timers[0]; next !== undefined && next.due <= until; next = timers[0]) {
      timers.shift()
      now = Math.max(now, next.due)
      next.call()
      await settled()
    }
    now = Math.max(now, until)
  }

  return {
    now: () => now,
    wallTime: () => Math.floor(wallStart + now),
    after(delayMs, call) {
      const timer = { due: now + Math.max(0, delayMs), call }
      const place = timers.findIndex(other => other.due > timer.due)
      timers.splice(place < 0 ? timers.length : place, 0, timer)
      return () => {
        const index = timers.indexOf(timer)
        if (index >= 0) timers.splice(index, 1)
      }
    },
    advance(ms) {
      running = running.then(() => go(ms))
      return running
    },
    settle: settled,
    nextTimerMs: () => (timers[0] === undefined ? undefined : Math.max(0, timers[0].due - now)),
  }
}

/** All microtasks run before the event loop turns, however many of them make new ones. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
