import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ModelVersion } from '../../src/models/model-version.ts'
import { formBatch } from '../../src/pipeline/form-batch.ts'
import { Retries } from '../../src/pipeline/retries.ts'
import { type Batch, cohortOf } from '../../src/pipeline/row-run.ts'
import { StrayRows } from '../../src/pipeline/stray-rows.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { plainCost } from '../support/fake-lanes.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const work = () => workOf(blockOf([0, 1, 2].map(offset => sourceRecord(offset))), flowOf())

function batchOf(...works: readonly WorkBlock[]): Batch {
  return batchOfCohort(0, ...works)
}

function batchOfCohort(cohort: number, ...works: readonly WorkBlock[]): Batch {
  const segments = works.map(each => ({
    run: {
      work: each,
      route: 0,
      cohort,
      count: 3,
      rows: Int32Array.of(0, 1, 2),
      bucketKey: '',
      rowShapes: [[]],
      cost: plainCost(8),
      arrivedAtMs: 0,
      keys: undefined,
      fill: () => {},
      example: () => undefined,
    },
    from: 0,
    to: 3,
  }))
  return formBatch(segments, 'idle')
}

describe('batches that are tried again', () => {
  it('of a candidate that has ended have rows of the stable model, and their time, tries and version stay', () => {
    const retries = new Retries({ firstDelayMs: 100 }, () => 1)
    const begunOn = { cohort: 3 } as ModelVersion
    const batch = { ...batchOfCohort(3, work(), work()), begunOn }
    retries.add(batch, 0)
    retries.add(batchOfCohort(1, work()), 50)
    const strays = new StrayRows(2)
    retries.replaceRows(3, segments => strays.moved(segments))
    assert.deepEqual([retries.hasRowsOf(3), retries.deadlineMs(0)], [false, 100])
    const again = retries.take(100)!
    assert.deepEqual(
      [cohortOf(again), again.rows, again.retries, again.begunOn === begunOn, retries.hasRowsOf(1)],
      [1, 6, 1, true, true],
    )
    for (const [i, { run, from, to }] of again.segments.entries()) {
      const { run: before } = batch.segments[i]!
      assert.deepEqual([run.work === before.work, run.rows, from, to], [true, before.rows, 0, 3])
    }
  })

  it('T1: come back after firstDelayMs × 2^i, half of it at least, and maxRetries times', () => {
    for (const [chance, share] of [
      [0, 0.5],
      [1, 1],
    ] as const) {
      const retries = new Retries({ maxRetries: 4, firstDelayMs: 100, maxDelayMs: 500 }, () => chance)
      let batch = batchOf(work())
      let now = 0
      const delays: number[] = []
      while (retries.add(batch, now)) {
        const due = retries.deadlineMs(now)!
        delays.push(due - now)
        assert.equal(retries.take(due - 1), undefined)
        batch = retries.take(due)!
        now = due
      }
      assert.deepEqual(
        delays,
        [100, 200, 400, 500].map(ms => ms * share),
      )
      assert.equal(batch.retries, 4)
    }
  })

  it('T1: none, where none are wanted', () => {
    assert.equal(new Retries({ maxRetries: 0 }, () => 1).add(batchOf(work()), 0), false)
  })

  it('T3: leave the rows of lost partitions behind; a batch of nothing else is gone', () => {
    const retries = new Retries({}, () => 1)
    const [lost, kept] = [work(), work()]
    retries.add(batchOf(lost, kept), 0)
    retries.add(batchOf(lost), 0)
    lost.flow.lost = true
    const batch = retries.take(1_000)!
    assert.deepEqual([batch.rows, batch.segments.length, batch.retries], [3, 1, 1])
    assert.equal(retries.take(1_000), undefined)
    assert.equal(retries.rows, 0)
    retries.add(batchOf(kept, lost), 0)
    retries.dropLost()
    assert.equal(retries.rows, 3)
  })

  it('T5: are due at once when a drain begins', () => {
    const retries = new Retries({ firstDelayMs: 60_000, maxDelayMs: 60_000 }, () => 1)
    retries.add(batchOf(work()), 0)
    retries.hurry(10)
    assert.equal(retries.take(10)!.rows, 3)
  })

  it('T2, T4: whatever is added, taken and lost, every batch is in one place, and the first that is due comes first', () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'take', 'putBack', 'lose'), ms: fc.nat(300) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        let chance = 0
        const retries = new Retries({ maxRetries: 100, firstDelayMs: 50 }, () => (chance = (chance + 0.37) % 1))
        const inside = new Set<WorkBlock>()
        const taken: { batch: Batch; of: WorkBlock }[] = []
        let now = 0
        for (const { kind, ms } of steps) {
          now += ms
          if (kind === 'add') {
            const of = work()
            inside.add(of)
            retries.add(batchOf(of), now)
          } else if (kind === 'take') {
            const due = retries.deadlineMs(Number.NEGATIVE_INFINITY)
            const batch = retries.take(now)
            assert.equal(batch !== undefined, due !== undefined && due <= now)
            if (!batch) continue
            const of = batch.segments[0]!.run.work
            assert.ok(inside.delete(of), 'never twice')
            taken.push({ batch, of })
          } else if (kind === 'putBack') {
            const back = taken.pop()
            if (!back) continue
            inside.add(back.of)
            retries.putBack(back.batch, now)
          } else {
            const [first] = inside
            if (!first) continue
            first.flow.lost = true
            inside.delete(first)
            retries.dropLost()
          }
          assert.equal(retries.rows, inside.size * 3)
        }
      }),
      { numRuns: 200 },
    )
  })
})
