import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BatchSizeEstimator, type EstimatorOptions } from '../../src/pipeline/batch-size-estimator.ts'
import { fitLine } from '../../src/pipeline/linear-fit.ts'

const DEFAULTS: EstimatorOptions = {
  minSize: 1,
  maxSize: 10_000,
  targetBatchOverhead: 0.05,
  targetBatchDurationMs: 10_000,
  targetBatchDurationIncludingFixedCostMs: 0,
  variance: 0,
}
const OFF = { targetBatchOverhead: 0, targetBatchDurationMs: 0 }

/** Sizes that the estimator gives when a batch of n rows takes `ms(n)`. */
function sizes(count: number, ms: (rows: number) => number, change: Partial<EstimatorOptions> = {}): number[] {
  const estimator = new BatchSizeEstimator({ ...DEFAULTS, ...change }, () => 0.5)
  return Array.from({ length: count }, () => {
    const size = estimator.next()
    estimator.record(size, ms(size))
    return size
  })
}

/** One bundle of Beam's: the first time is ignored, the last batch is what is left. */
function bundle(rows: number, ms: (rows: number) => number, change: Partial<EstimatorOptions> = {}): number[] {
  const estimator = new BatchSizeEstimator({ ...DEFAULTS, ...change }, () => 0.5)
  const given: number[] = []
  let left = rows
  let size = estimator.next()
  estimator.ignoreNextTime()
  while (left > 0) {
    const taken = Math.min(size, left)
    given.push(taken)
    estimator.record(taken, ms(taken))
    left -= taken
    size = estimator.next()
  }
  return given
}

describe('batch-size estimator: golden vectors of Beam', () => {
  const linear = (rows: number) => 1_000 + 700 * rows

  it('E2: time of a batch without the fixed cost, with it, share of the fixed cost, all defaults', () => {
    const duration = { ...OFF, targetBatchDurationMs: 10_000 }
    assert.deepEqual(sizes(7, linear, duration), [1, 2, 4, 8, 14, 14, 14])
    const including = { ...OFF, targetBatchDurationIncludingFixedCostMs: 10_000 }
    assert.deepEqual(sizes(7, linear, including), [1, 2, 4, 8, 12, 12, 12])
    assert.deepEqual(sizes(8, linear, { ...OFF, targetBatchOverhead: 0.05 }), [1, 2, 4, 8, 16, 27, 27, 27])
    assert.deepEqual(sizes(7, linear), [1, 2, 4, 8, 14, 14, 14])
  })

  it('E1: sizes double while nothing takes any time', () => {
    assert.deepEqual(
      bundle(164, () => 0, { maxSize: 50 }),
      [1, 1, 2, 4, 8, 16, 32, 50, 50],
    )
  })

  it('grow to where the fixed cost is a twentieth', () => {
    assert.deepEqual(sizes(12, rows => 5 + 0.1 * rows).slice(0, 10), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    assert.ok(Math.abs(sizes(12, rows => 5 + 0.1 * rows)[10]! - 950) <= 1)
    const second = sizes(9, rows => 2 + rows)
    assert.deepEqual(second.slice(0, 6), [1, 2, 4, 8, 16, 32])
    // 38 by the formula, 37 where the last digit of a fit is below: the recorded sequence has 37.
    for (const size of second.slice(6)) assert.ok(size === 37 || size === 38, `${size}`)
  })

  it('without a fixed cost the sizes stay at the smallest: what then helps is minSize', () => {
    assert.deepEqual(
      sizes(8, rows => rows),
      [1, 2, 1, 2, 1, 2, 1, 2],
    )
  })

  it('one bundle of a recorded run, by the cost of its batches', () => {
    const cases: [string, number, number, number, Partial<EstimatorOptions>, number[]][] = [
      ['1 ms + 10 µs', 1, 0.01, 5_000, {}, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1900, 1052]],
      ['10 ms + 1 ms', 10, 1, 1_500, {}, [1, 1, 2, 4, 8, 16, 32, 64, 128, 190, 190, 189, 189, 189, 189, 108]],
      ['between 10 and 100', 10, 1, 600, { minSize: 10, maxSize: 100 }, [10, 10, 20, 40, 80, 100, 100, 100, 100, 40]],
      ['at most 50', 10, 1, 400, { maxSize: 50 }, [1, 1, 2, 4, 8, 16, 32, 50, 50, 50, 50, 50, 50, 36]],
      ['at least 50', 1, 1, 600, { minSize: 50 }, [50, 50, 100, 50, 51, 50, 51, 50, 51, 50, 47]],
      ['0.5 s + 6 s', 500, 6_000, 20, {}, [1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]],
    ]
    for (const [name, fixed, perRow, rows, change, expected] of cases) {
      const given = bundle(rows, size => fixed + perRow * size, change)
      assert.equal(given.length, expected.length, `${name}: ${given}`)
      // A target that is a whole number may come out just below it, and is cut off: one less, and the last batch takes it up.
      let behind = 0
      for (const [i, size] of given.entries()) {
        const slack = i === given.length - 1 ? behind : 1
        assert.ok(Math.abs(size - expected[i]!) <= slack, `${name}: ${given}`)
        behind += Math.abs(size - expected[i]!)
      }
    }
  })

  it('E3: from eleven points on sizes vary by chance, and stay near the target', () => {
    const random = seeded()
    const estimator = new BatchSizeEstimator({ ...DEFAULTS, ...OFF, targetBatchOverhead: 0.05, variance: 0.25 }, random)
    const drawn = Array.from({ length: 99 }, () => {
      const size = estimator.next()
      estimator.record(size, linear(size))
      return size
    }).slice(-20)
    assert.ok(new Set(drawn).size > 3, `${drawn}`)
    for (const size of drawn) assert.ok(size >= 27 * 0.75 - 1 && size <= 27 * 1.25 + 1, `${drawn}`)
  })

  it('E4: only old points make room for new ones', () => {
    const estimator = new BatchSizeEstimator({ ...DEFAULTS, ...OFF, targetBatchOverhead: 1e-9 }, () => 0.999)
    for (let i = 0; i < 99; i++) estimator.record(1, 1)
    estimator.record(8, 1)
    assert.equal(estimator.next(), 16, 'twice the last size')
  })

  it('E4: what was learnt long ago is forgotten', () => {
    const estimator = new BatchSizeEstimator({ ...DEFAULTS, maxSize: 1_000 }, seeded())
    const run = (count: number, ms: (rows: number) => number) => {
      for (let i = 0; i < count; i++) {
        const size = estimator.next()
        estimator.record(size, ms(size))
      }
      return estimator.next()
    }
    assert.ok(run(300, rows => 1 + rows) < 30)
    assert.ok(run(300, rows => 10 + rows * 0.1) > 500)
  })
})

describe('fit', () => {
  const near = (line: { fixed: number; perRow: number }, fixed: number, perRow: number) => {
    assert.ok(Math.abs(line.fixed / fixed - 1) < 1e-6, `fixed ${line.fixed}, expected ${fixed}`)
    assert.ok(Math.abs(line.perRow / perRow - 1) < 1e-6, `per row ${line.perRow}, expected ${perRow}`)
  }

  it('leaves out outliers, from ten points on', () => {
    const x = [1, 2, 4, 8, 16, 32, 64, 1, 2, 4, 8, 16]
    const y = x.map(size => 5 + 0.1 * size)
    near(fitLine(x, y.with(6, 100)), 5, 0.1)
    near(fitLine(x, y.with(0, 9)), 5, 0.1)
    assert.ok(fitLine(x.slice(0, 9), y.with(6, 100).slice(0, 9)).fixed < 0, 'nine points: plain least squares')
  })

  it('of noisy times, in Beam’s last digits', () => {
    const x = [1, 2, 4, 8, 16, 32, 64, 128, 100, 110, 90, 120]
    const ms = [5.1, 5.3, 5.4, 5.9, 6.6, 8.3, 11.4, 17.9, 15.1, 15.9, 14.1, 17.1]
    near(
      fitLine(
        x,
        ms.map(each => each / 1000),
      ),
      5.0145001e-3,
      1.0363972e-4,
    )
  })

  it('of one size is a cost per row alone', () => {
    assert.deepEqual(fitLine([4, 4], [8, 16]), { fixed: 0, perRow: 3 })
    assert.deepEqual(fitLine([0, 0], [8, 16]), { fixed: 12, perRow: 0 })
  })
})

/** Numbers in [0, 1), the same in every run. */
function seeded(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
