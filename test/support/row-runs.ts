import type { RowCost } from '../../src/pipeline/row-cost.ts'
import type { RowRun } from '../../src/pipeline/row-run.ts'
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
