import type { BatchWaits } from './pipeline-metrics.ts'
import type { Batch } from './row-run.ts'

/** How long its rows waited: the first one, which waited longest, and all of them together. */
export function batchWaits({ segments, firstArrivedAtMs }: Batch, nowMs: number): BatchWaits {
  let allMs = 0
  for (const { run, from, to } of segments) allMs += (to - from) * (nowMs - run.arrivedAtMs)
  return { firstMs: nowMs - firstArrivedAtMs, allMs }
}
