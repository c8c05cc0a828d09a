import type { Clock } from '../ops/clock.ts'

/**
 * A look that is taken again when the last one is older than `maxAgeMs`. One that fails is told, once until one succeeds, and what was
 * seen before stays; it rejects only while nothing was seen yet.
 */
export function refreshed<T>(
  clock: Clock,
  maxAgeMs: number,
  look: (signal: AbortSignal) => Promise<T>,
  onFailed: (error: unknown) => void,
): (signal: AbortSignal) => Promise<T> {
  let last: { readonly value: T } | undefined
  let takenAt = Number.NEGATIVE_INFINITY
  let isFailing = false
  return async signal => {
    if (last !== undefined && clock.now() - takenAt < maxAgeMs) return last.value
    takenAt = clock.now()
    try {
      last = { value: await look(signal) }
      isFailing = false
    } catch (error) {
      if (last === undefined) throw error
      if (!isFailing && !signal.aborted) onFailed(error)
      isFailing = true
    }
    return last.value
  }
}
