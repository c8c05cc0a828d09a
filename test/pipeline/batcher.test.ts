import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LaneAnswer } from '../../src/models/model-set.ts'
import { batchPolicy } from '../../src/pipeline/batch-policy.ts'
import { Batcher } from '../../src/pipeline/batcher.ts'
import type { Batch } from '../../src/pipeline/row-run.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { plainCost } from '../support/fake-lanes.ts'
import { rowRun, take } from '../support/row-runs.ts'

describe('batcher', () => {
  it('B4: without a wait a single row leaves for an idle lane at once, and never for the prefetch place', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 8 }))
    batcher.add(rowRun(work(), 's', 1, 0))
    assert.equal(take(batcher, 'prefetch', 1, 0), undefined)
    assert.equal(take(batcher, 'idle', 1, 0)?.reason, 'idle')
  })

  it('shares what is queued between the idle lanes', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 100 }))
    batcher.add(rowRun(work(), 's', 30, 0))
    assert.deepEqual(
      [3, 2, 1].map(idle => take(batcher, 'idle', idle, 0)?.rows),
      [10, 10, 10],
    )
  })

  it('B2: batches that come back one by one, the first one first, leave again in the order of their rows', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
    const [older, younger] = [rowRun(work(), 's', 6, 10), rowRun(work(), 's', 6, 11)]
    batcher.add(older)
    batcher.add(younger)
    const taken = [1, 2].map(() => take(batcher, 'idle', 1, 20)!)
    for (const { segments } of taken) batcher.putBack(segments)
    const again = [1, 2, 3].flatMap(() => take(batcher, 'idle', 1, 20)!.segments)
    assert.deepEqual(
      again.map(({ run, from, to }) => [run === older ? 'older' : 'younger', from, to]),
      [
        ['older', 0, 4],
        ['older', 4, 6],
        ['younger', 0, 2],
        ['younger', 2, 6],
      ],
    )
    assert.equal(batcher.queuedRows, 0)
  })

  it('B4: a held batch closes for time at its deadline, for count when it is full, for the reason of a flush', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4, maxWaitMs: 50 }))
    const add = (count: number, nowMs: number) => batcher.add(rowRun(work(), 's', count, nowMs))
    add(3, 0)
    add(2, 10)
    assert.deepEqual(pick(take(batcher, 'idle', 1, 10)), { rows: 4, reason: 'count' })
    assert.equal(take(batcher, 'idle', 1, 59), undefined)
    assert.equal(batcher.deadlineMs(59), 60)
    assert.deepEqual(pick(take(batcher, 'idle', 1, 60)), { rows: 1, reason: 'time' })
    add(1, 60)
    batcher.flushing = 'shutdown'
    assert.deepEqual(pick(take(batcher, 'idle', 1, 60)), { rows: 1, reason: 'shutdown' })
  })

  it('lost rows do not count towards a full batch', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
    const kept = work()
    const gone = work()
    batcher.add(rowRun(kept, 's', 2, 0))
    batcher.add(rowRun(gone, 's', 2, 0))
    gone.lost = true
    batcher.dropLost()
    assert.equal(take(batcher, 'prefetch', 1, 0), undefined)
    assert.equal(take(batcher, 'idle', 1, 0)?.rows, 2)
  })

  it('B1: the least of maxSize and the limit of the model holds, also below minSize', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 8, maxWaitMs: 1_000 }))
    batcher.limit(0, 6)
    batcher.add(rowRun(work(), 's', 100, 0))
    const next = () => pick(take(batcher, 'prefetch', 1, 0))
    assert.deepEqual(next(), { rows: 6, reason: 'count' })
    batcher.limit(0, 50)
    assert.deepEqual(next(), { rows: 8, reason: 'count' })
    batcher.limit(0, 3)
    assert.deepEqual(next(), { rows: 3, reason: 'count' })
    assert.equal(batcher.maxRowsOf(0), 3)
  })

  it('B1: rows that are all alike are counted by their bytes; one that is larger than the limit goes alone', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 8, maxBytes: 100, maxWaitMs: 1_000 }))
    batcher.add(rowRun(work(), 'small', 7, 0, 0, plainCost(20)))
    assert.deepEqual(pick(take(batcher, 'prefetch', 1, 0)), { rows: 5, reason: 'bytes' })
    assert.equal(take(batcher, 'idle', 1, 0), undefined, 'two rows are below minSize, and not full')
    batcher.add(rowRun(work(), 'large', 2, 0, 0, plainCost(101)))
    assert.deepEqual(pick(take(batcher, 'idle', 1, 0)), { rows: 1, reason: 'bytes' })
    assert.deepEqual(pick(take(batcher, 'idle', 1, 0)), { rows: 1, reason: 'bytes' })
  })

  it('B1: rows of their own sizes fill a batch up to the total, and not beyond', () => {
    const batcher = new Batcher(batchPolicy({ sizeOf: () => 0, maxTotalSize: 10 }))
    const sizes = Float64Array.of(4, 6, 3, 3, 11, 2)
    batcher.add(rowRun(work(), 's', sizes.length, 0, 0, { ...plainCost(4), sizes }))
    const taken = Array.from({ length: 4 }, () => pick(take(batcher, 'idle', 1, 0)))
    assert.deepEqual(taken, [
      { rows: 2, reason: 'bytes' },
      { rows: 2, reason: 'bytes' },
      { rows: 1, reason: 'bytes' },
      { rows: 1, reason: 'idle' },
    ])
  })

  it('B7: a rare bucket is served between the batches of a busy one, though the lane is never idle', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
    for (let ms = 0; ms < 10; ms++) batcher.add(rowRun(work(), 'busy', 4, ms))
    batcher.add(rowRun(work(), 'rare', 1, 3.5))
    const order = Array.from({ length: 6 }, () => take(batcher, 'prefetch', 1, 20)!.segments[0]!.run.bucketKey)
    assert.deepEqual(order, ['busy', 'busy', 'busy', 'busy', 'rare', 'busy'])
  })

  it('B6: a bundle that was staged in several runs is one batch', () => {
    const batcher = new Batcher(batchPolicy({ mode: 'bundle', maxSize: 100 }))
    const block = work()
    for (const rows of [16, 32, 5]) batcher.add(rowRun(block, 's', rows, 0))
    batcher.add(rowRun(work(), 's', 7, 0))
    assert.deepEqual(pick(take(batcher, 'idle', 1, 0)), { rows: 53, reason: 'count' })
    assert.deepEqual(pick(take(batcher, 'idle', 1, 0)), { rows: 7, reason: 'count' })
  })

  it('B7: of several models, a lane gets the oldest rows that it can run or is to load for; what it loads only if idle comes last', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
    for (const [cohort, arrivedAtMs] of [3, 1, 2].entries())
      batcher.add({ ...rowRun(work(), `model ${cohort}`, 2, arrivedAtMs), cohort })
    const chosen = (...answers: LaneAnswer[]) => {
      const choice = batcher.choose('idle', 10, cohort => answers[cohort]!)
      return choice && [choice.cohort, choice.mustLoad]
    }
    assert.deepEqual(chosen('run', 'run', 'run'), [1, false])
    assert.deepEqual(chosen('run', 'no', 'load'), [2, true])
    assert.deepEqual(chosen('run', 'load-if-idle', 'load-if-idle'), [0, false])
    assert.deepEqual(chosen('no', 'load-if-idle', 'load-if-idle'), [1, true])
    assert.equal(chosen('no', 'no', 'no'), undefined)
  })

  it('takes out all rows of one model, and limits the batches of one alone', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 8 }))
    for (const cohort of [0, 1, 0])
      batcher.add({ ...rowRun(work(), `model ${cohort} ${batcher.queuedRows}`, 6, 0), cohort })
    batcher.limit(1, 3)
    assert.deepEqual([batcher.maxRowsOf(0), batcher.maxRowsOf(1)], [8, 3])
    assert.deepEqual(
      batcher.takeAll(0).map(({ from, to }) => to - from),
      [6, 6],
    )
    assert.equal(batcher.queuedRows, 6)
    assert.deepEqual(pick(take(batcher, 'prefetch', 1, 0)), { rows: 3, reason: 'count' })
  })

  it('B8: a batch costs about the same with a thousand buckets as with ten', () => {
    const looks = (buckets: number): number => {
      const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
      let asked = 0
      for (let round = 0; round < 3; round++)
        for (let i = 0; i < buckets; i++) batcher.add(rowRun(work(), `bucket ${i}`, 4, round))
      while (batcher.queuedRows > 0) {
        const choice = batcher.choose('prefetch', 10, () => {
          asked++
          return 'run'
        })!
        batcher.close(choice, 1)
      }
      return asked / (3 * buckets)
    }
    assert.deepEqual([looks(10), looks(1_000)], [1, 1])
  })

  it('minSize is maxSize where a wait was asked for, else 1', () => {
    assert.equal(batchPolicy({ maxSize: 7, maxWaitMs: 1 }).minSize, 7)
    assert.equal(batchPolicy({ maxSize: 7 }).minSize, 1)
    const { mode, minSize, maxSize, maxWaitMs } = batchPolicy({})
    assert.deepEqual({ mode, minSize, maxSize, maxWaitMs }, { mode: 'stream', minSize: 1, maxSize: 256, maxWaitMs: 0 })
  })
})

function pick(batch: Batch | undefined) {
  return batch && { rows: batch.rows, reason: batch.reason }
}

function work(): WorkBlock & { lost: boolean } {
  return { lost: false } as WorkBlock & { lost: boolean }
}
