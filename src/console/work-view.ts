/** Latency and batches as the page shows them, of what one instance counts, or of all that tell. */
import { type Bucket, quantile } from '../ops/metric-readings.ts'
import type { BatchCounts, InstanceStats, LatencyBuckets } from '../refresh/instance-stats.ts'
import type { ConsoleSnapshot, Quantiles } from './console-api.ts'

/**
 * Quantiles of everything together. Undefined where nothing came. What an instance tells counts by its rate, since not all of them
 * tell of equally long.
 */
export function latencyView(
  all: readonly { readonly seconds: number; readonly latency: LatencyBuckets }[],
): ConsoleSnapshot['latency'] {
  const ms = (name: keyof LatencyBuckets): Quantiles | undefined => {
    const buckets = together(
      all.map(({ latency, seconds }) => latency[name].map(({ upTo, count }) => ({ upTo, count: count / seconds }))),
    )
    if (buckets.every(({ count }) => count === 0)) return undefined
    return { p50: 1_000 * quantile(buckets, 0.5), p99: 1_000 * quantile(buckets, 0.99) }
  }
  const [wait, queue, compute, total] = [ms('wait'), ms('queue'), ms('compute'), ms('total')]
  if (!wait || !queue || !compute || !total) return undefined
  return { queue: { p50: wait.p50 + queue.p50, p99: wait.p99 + queue.p99 }, compute, total }
}

export interface BatchWork extends Pick<BatchCounts, 'rows' | 'closed'> {
  readonly seconds: number
}

/** `sizes` may be those of a longer time. Undefined where there was no batch. */
export function batchesView(
  all: readonly BatchWork[],
  sizes: readonly (readonly Bucket[])[],
): ConsoleSnapshot['batches'] {
  const closed: Record<string, number> = {}
  for (const { closed: counts, seconds } of all)
    for (const [why, count] of Object.entries(counts)) closed[why] = (closed[why] ?? 0) + count / seconds
  const perSecond = sum(Object.values(closed))
  const bounded = together(sizes).filter(({ upTo }) => Number.isFinite(upTo))
  if (perSecond === 0 && bounded.every(({ count }) => count === 0)) return undefined
  const rows = sum(all.map(each => each.rows / each.seconds))
  return { ...(perSecond > 0 && { meanRows: rows / perSecond }), perSecond, closed, sizes: bounded }
}

/** Of all instances that tell; what they read themselves, not what they may have had before. */
export function fleetWork(all: readonly InstanceStats[]): Pick<ConsoleSnapshot, 'latency' | 'batches'> {
  const latency = latencyView(all)
  const batches = batchesView(
    all.map(({ batches: work, seconds }) => ({ ...work, seconds })),
    all.map(({ batches: { sizes } }) => sizes),
  )
  return { ...(latency && { latency }), ...(batches && { batches }) }
}

/** Histograms of one kind as one; bounds that only some have stay. */
function together(all: readonly (readonly Bucket[])[]): readonly Bucket[] {
  const counts = new Map<number, number>()
  for (const { upTo, count } of all.flat()) counts.set(upTo, (counts.get(upTo) ?? 0) + count)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([upTo, count]) => ({ upTo, count }))
}

function sum(values: readonly number[]): number {
  return values.reduce((all, each) => all + each, 0)
}
