import { setTimeout as delay } from 'node:timers/promises'

export interface UntilOptions {
  readonly signal: AbortSignal
  /** Then it rejects, saying what was waited for. */
  readonly deadlineMs: number
  readonly everyMs?: number
}

/** Looks again and again until the condition holds; a look that fails is one that does not hold. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { signal, deadlineMs, everyMs = 100 }: UntilOptions,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    let reason: unknown
    try {
      if (await condition()) return
    } catch (error) {
      reason = error
    }
    signal.throwIfAborted()
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs / 1000} s: ${what}`, { cause: reason })
    await delay(everyMs, undefined, { signal })
  }
}
