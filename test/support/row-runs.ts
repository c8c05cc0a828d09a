import type { Batcher, LanePlace } from '../../src/pipeline/batcher.ts'
import type { RowCost } from '../../src/pipeline/row-cost.ts'
import type { Batch, RowRun } from '../../src/pipeline/row-run.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { plainCost } from './fake-lanes.ts'

/** A run without data, for who looks at batches only. `id` is kept in `rows[0]`, so that a run can be told from others. */
export function rowRun(
  work: WorkBlock,
  bucketKey: string,
  count: number,
  arrivedAtMs: number,
  id = 0,
  cost: RowCost = plainCost(4),
): RowRun {
  return {
    work,
    route: 0,
    cohort: 0,
    count,
    rows: Int32Array.of(id),
    bucketKey,
    rowShapes: [[cost.padding ? null : bucketKey.length]],
    cost,
    arrivedAtMs,
    keys: undefined,
    fill() {},
    example: () => undefined,
  }
}

/** The next batch for a place of a lane that runs everything, or nothing. */
export function take(batcher: Batcher, place: LanePlace, idleLanes: number, nowMs: number): Batch | undefined {
  const choice = batcher.choose(place, nowMs)
  return choice && batcher.close(choice, idleLanes)
}
