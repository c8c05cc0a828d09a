/** A page shows what is old by so much at most, and does not take the connection for lost. */
const MAX_REST_MS = 15_000

/**
 * How long Kafka is left alone before it is asked again: as long as it took to answer, since one that is slow gets no faster by more
 * questions; from the second failure in a row on twice as long each time. 0 where it answered at once.
 */
export function restMs(everyMs: number, tookMs: number, failures: number): number {
  const again = failures === 0 ? 0 : everyMs * 2 ** Math.min(failures - 1, 10)
  return Math.min(MAX_REST_MS, Math.max(tookMs, again))
}
