import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rowGrouping } from '../../src/pipeline/row-grouping.ts'
import type { RowRun } from '../../src/pipeline/row-run.ts'
import { Staging } from '../../src/pipeline/staging.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'

const ROW = new Float32Array(4)

/** A block of so many rows, as far as staging looks at it. */
const block = (rows: number) => ({ elements: rows }) as WorkBlock

function stagingOf() {
  const staging = new Staging({
    layout: { names: [''], specs: [{ dtype: 'float32', shape: [4] }], unnamed: true, padding: undefined },
    grouping: rowGrouping({}),
    keyed: false,
    cohort: 0,
    bucketPrefix: '',
    stampOf: () => 0,
    onStaged: () => {},
  })
  const stage = (work: WorkBlock, element: number) => staging.stage(work, element, 0, ROW, undefined, '', 0)
  const take = () => {
    const runs: RowRun[] = []
    staging.takeRuns(runs)
    return runs
  }
  return { staging, stage, take }
}

const roomOf = (runs: readonly RowRun[]) => runs.reduce((sum, { rows }) => sum + rows.length, 0)
const rowsOf = (runs: readonly RowRun[]) => runs.flatMap(({ rows, count }) => [...rows.subarray(0, count)])

describe('rows that wait to be collected', () => {
  it('of a block that comes at once are a few runs, in order', () => {
    const { stage, take } = stagingOf()
    const collected = [1, 2, 3].map(() => {
      const work = block(1_000)
      for (let row = 0; row < 1_000; row++) stage(work, row)
      return take()
    })
    for (const runs of collected) assert.deepEqual(rowsOf(runs), [...new Array(1_000).keys()])
    assert.ok(collected[0]!.length <= 8)
    assert.ok(collected[2]!.length <= 2)
    assert.equal(roomOf(collected[2]!), 1_000)
  })

  it('I5: that come one by one, or a few of many blocks at a time, take room for themselves, not for their blocks', () => {
    for (const [blocks, atATime] of [
      [1, 1],
      [10, 20],
    ] as const) {
      const { stage, take } = stagingOf()
      const works = Array.from({ length: blocks }, () => block(2_000))
      const runs: RowRun[] = []
      for (let row = 0; row < 2_000; row += atATime) {
        for (const work of works) for (let i = 0; i < atATime; i++) stage(work, row + i)
        runs.push(...take())
      }
      assert.equal(rowsOf(runs).length, blocks * 2_000)
      assert.ok(roomOf(runs) < 3 * blocks * 2_000, `${roomOf(runs)} rows have room for ${blocks * 2_000}`)
    }
  })

  it('may be in any number of runs', () => {
    const { staging, take } = stagingOf()
    const work = block(1)
    for (let i = 0; i < 200_000; i++) staging.stageDirect(work, Int32Array.of(0), 0)
    assert.equal(take().length, 200_000)
  })
})
