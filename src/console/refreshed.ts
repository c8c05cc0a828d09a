import { RunInferenceError } from '../errors.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { restMs } from './rest-ms.ts'

/**
 * A look that is taken again when the last one is older than `maxAgeMs`, one at a time. One that fails is told, once until one succeeds,
 * and what was seen before stays; it rejects only while nothing was seen yet. Who has `patienceMs` waits no longer for a look that is
 * under way, and has what was seen before. What took long, or failed, is given as long a rest before it is looked at again (`restMs`).
 */
export function refreshed<T>(
  clock: Clock,
  maxAgeMs: number,
  look: (signal: AbortSignal) => Promise<T>,
  onFailed: (error: unknown) => void,
  patienceMs = Number.POSITIVE_INFINITY,
): (signal: AbortSignal) => Promise<T> {
  let last: { readonly value: T } | undefined
  let nextAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let underWay: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  const take = async (signal: AbortSignal) => {
    const startedAt = clock.now()
    try {
      last = { value: await look(signal) }
      failure = undefined
      failures = 0
    } catch (error) {
      if (last !== undefined && failure === undefined && !signal.aborted) onFailed(error)
      failure = { error }
      failures++
    }
    const endedAt = clock.now()
    nextAt = Math.max(startedAt + maxAgeMs, endedAt + restMs(maxAgeMs, endedAt - startedAt, failures))
    // Nobody waited for it any more: that says nothing of Kafka.
    if (signal.aborted) [nextAt, failures] = [startedAt, 0]
    underWay = undefined
  }
  return async signal => {
    const isEarly = clock.now() < nextAt
    if (last !== undefined && (underWay !== undefined || isEarly)) return last.value
    if (failure !== undefined && underWay === undefined && isEarly) throw failure.error
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
