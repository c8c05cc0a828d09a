/** Time as it is injected everywhere: no module of the data path calls Date or setTimeout itself. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back; for durations and deadlines. */
  now(): number
  /** Milliseconds since 1970, for what is written to Kafka. */
  wallTime(): number
  /** Calls once after `delayMs`, or 25 days if these are fewer; the returned function cancels. */
  after(delayMs: number, call: () => void): () => void
}

/** About 25 days. Of a longer delay setTimeout would make one millisecond: "never" would be "at once". */
const LONGEST_MS = 2 ** 31 - 1

/** The real clock. Its timers do not keep the process alive on their own. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(delayMs, LONGEST_MS))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `delayMs` of this clock, or at once when the signal is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
