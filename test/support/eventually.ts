const LEAST_PAUSE_MS = 5
const MOST_PAUSE_MS = 100
/** Pauses are so many times as long as a look takes: who asks a broker or an instance must not keep it busy with that. */
const PAUSE_PER_LOOK = 3

/**
 * Waits until a condition holds, looking every few milliseconds, less often where a look takes long; rejects, saying what was
 * waited for, after the deadline.
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const startedMs = performance.now()
    if (await condition()) return
    const now = performance.now()
    if (now > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    const pauseMs = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, PAUSE_PER_LOOK * (now - startedMs)))
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}
