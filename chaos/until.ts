import { setTimeout as delay } from 'node:timers/promises'

export interface UntilOptions {
  readonly signal: AbortSignal
  /** Then it rejects, saying what was waited for. */
  readonly deadlineMs: number
  readonly everyMs?: number
  /** How far it has come, for the message. */
  readonly standing?: () => string
}

/** Looks again and again until the condition holds; a look that fails is one that does not hold. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { signal, deadlineMs, everyMs = 100, standing }: UntilOptions,
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
    if (performance.now() > deadline) {
      const how = standing === undefined ? '' : ` (${standing()})`
      throw new Error(`not within ${deadlineMs / 1000} s: ${what}${how}`, { cause: reason })
    }
    await delay(everyMs, undefined, { signal })
  }
}
