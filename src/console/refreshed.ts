import { RunInferenceError } from '../errors.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'

/**
 * A look that is taken again when the last one is older than `maxAgeMs`, one at a time. One that fails is told, once until one succeeds,
 * and what was seen before stays; it rejects only while nothing was seen yet. Who has `patienceMs` waits no longer for a look that is
 * under way, and has what was seen before.
 */
export function refreshed<T>(
  clock: Clock,
  maxAgeMs: number,
  look: (signal: AbortSignal) => Promise<T>,
  onFailed: (error: unknown) => void,
  patienceMs = Number.POSITIVE_INFINITY,
): (signal: AbortSignal) => Promise<T> {
  let last: { readonly value: T } | undefined
  let takenAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  const take = async (signal: AbortSignal) => {
    takenAt = clock.now()
    try {
      last = { value: await look(signal) }
      failure = undefined
    } catch (error) {
      if (last !== undefined && failure === undefined && !signal.aborted) onFailed(error)
      failure = { error }
    }
    underWay = undefined
  }
  return async signal => {
    if (last !== undefined && (underWay !== undefined || clock.now() - takenAt < maxAgeMs)) return last.value
    underWay ??= take(signal)
    if (patienceMs === Number.POSITIVE_INFINITY) await underWay
    else await unlessLonger(clock, patienceMs, underWay)
    if (last !== undefined) return last.value
    throw failure?.error ?? new RunInferenceError('BROKER_UNAVAILABLE', 'Kafka has not answered yet')
  }
}

async function unlessLonger(clock: Clock, patienceMs: number, work: Promise<void>): Promise<void> {
  const over = new AbortController()
  await Promise.race([work.finally(() => over.abort()), sleep(clock, patienceMs, over.signal)])
}

/** Says why what is shown is not new. */
export function tellsOf(logger: Logger): (error: unknown) => void {
  return error =>
    logger.warn({ reason: error instanceof Error ? error.message : String(error) }, 'the console shows what was before')
}
