import fc from 'fast-check'
import { SECONDS } from '../../src/ops/prometheus.ts'
import type { InstanceStats } from '../../src/refresh/instance-stats.ts'

const SIZES = [1, 4, 16, 64, 256]
const REASONS = ['count', 'bytes', 'time', 'idle', 'pressure', 'shutdown', 'revoke', 'model-switch']
const BUCKETS = SECONDS.length + 1

/** `count`: of each bucket, reason and record count, by its place. */
export function statsOf(count: (place: number) => number, seconds = 30): InstanceStats {
  let place = 0
  const next = () => count(place++)
  const buckets = (bounds: readonly number[]) =>
    [...bounds, Number.POSITIVE_INFINITY].map(upTo => ({ upTo, count: next() }))
  return {
    seconds,
    records: { in: next(), out: next(), failed: next() },
    latency: { wait: buckets(SECONDS), queue: buckets(SECONDS), compute: buckets(SECONDS), total: buckets(SECONDS) },
    batches: {
      rows: next(),
      closed: Object.fromEntries(REASONS.map(reason => [reason, next()])),
      sizes: buckets(SIZES),
    },
  }
}

/** Of so many seconds at least. */
export function anyStats(minSeconds: number): fc.Arbitrary<InstanceStats> {
  const places = 3 + 4 * BUCKETS + 1 + REASONS.length + SIZES.length + 1
  const count = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(100_000) })
  return fc
    .tuple(fc.array(count, { minLength: places, maxLength: places }), fc.integer({ min: minSeconds, max: 45 }))
    .map(([counts, seconds]) => statsOf(place => counts[place]!, seconds))
}
