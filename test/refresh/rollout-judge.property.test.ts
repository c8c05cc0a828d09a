import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RolloutJudge } from '../../src/refresh/rollout-judge.ts'
import type { Side } from '../../src/refresh/rollout-tally.ts'
import type { AbortRule } from '../../src/refresh/step-models.ts'

const WINDOW_MS = 60_000
const RULE: AbortRule = { failureFactor: 2, latencyFactor: 2, minRecords: 100 }

function judging(rule: Partial<AbortRule> = {}) {
  let nowMs = 0
  const judge = new RolloutJudge({
    rule: { ...RULE, ...rule },
    windowMs: WINDOW_MS,
    clock: { now: () => nowMs },
  })
  const goOn = (ms: number) => {
    nowMs += ms
  }
  /** This many records, so many of them failed, in batches of ten that take 1 ms. */
  const counted = (side: Side, records: number, failed: number) => {
    for (let left = records - failed; left > 0; left -= 10) judge.ran(side, Math.min(10, left), 1)
    if (failed > 0) judge.failed(side, failed)
  }
  return { judge, goOn, counted }
}

const batchSizes = (maxLength: number) => fc.array(fc.integer({ min: 1, max: 512 }), { minLength: 3, maxLength })

describe('the judge of a rollout', () => {
  it('J1: says nothing below minRecords on either side, however bad it is', () => {
    const few = fc.integer({ min: 0, max: 99 })
    const any = fc.integer({ min: 0, max: 5_000 })
    fc.assert(
      fc.property(few, any, fc.boolean(), (less, more, isCandidate) => {
        const { judge, counted } = judging()
        counted('stable', isCandidate ? more : less, 0)
        const bad = isCandidate ? less : more
        counted('candidate', bad, bad)
        assert.equal(judge.verdict(), undefined)
      }),
    )
  })

  it('J1: forgets what the window has left, when enough has come since', () => {
    const { judge, goOn, counted } = judging()
    counted('stable', 1_000, 0)
    counted('candidate', 1_000, 500)
    assert.equal(judge.verdict()?.about, 'failures')
    for (let tenth = 0; tenth <= 11; tenth++) {
      goOn(WINDOW_MS / 10)
      counted('stable', 1_000, 0)
      counted('candidate', 10, 0)
    }
    assert.equal(judge.verdict(), undefined)
  })

  it('J1: keeps what is older while there is not enough without it, on both sides', () => {
    const { judge, goOn, counted } = judging({ minRecords: 50 })
    for (let minute = 0; minute < 5; minute++) {
      counted('stable', 10_000, 0)
      assert.equal(judge.verdict(), undefined, `minute ${minute}`)
      counted('candidate', 10, 1)
      if (minute < 4) goOn(WINDOW_MS + 1)
    }
    const { reason } = judge.verdict()!
    assert.match(reason, /^in the last 240 s 5 of 50 records \(10 %\) failed on the candidate, and 0 of 50,000 /)
  })

  it('J2: measures and allows shares, whatever the sides have had', () => {
    const side = fc.tuple(fc.integer({ min: 100, max: 20_000 }), fc.double({ min: 0, max: 1, noNaN: true }))
    const factor = fc.double({ min: 0.1, max: 10, noNaN: true })
    fc.assert(
      fc.property(side, side, factor, ([stable, stableShare], [candidate, share], failureFactor) => {
        const { judge, counted } = judging({ failureFactor, latencyFactor: 1e9 })
        const [stableFailed, failed] = [Math.floor(stable * stableShare), Math.floor(candidate * share)]
        counted('stable', stable, stableFailed)
        counted('candidate', candidate, failed)
        const allowed = failureFactor * Math.max(stableFailed / stable, 0.001, 1 / candidate)
        const verdict = judge.verdict()
        assert.equal(verdict !== undefined, failed / candidate > allowed)
        if (verdict) assert.deepEqual([verdict.about, verdict.measured], ['failures', failed / candidate])
        if (verdict) assert.ok(Math.abs(verdict.allowed - allowed) < 1e-9)
      }),
    )
  })

  it('J2: a stable model without a failure counts as one in a thousand, or as one of the records of the candidate', () => {
    const verdictOf = (records: number, failed: number) => {
      const { judge, counted } = judging()
      counted('stable', 100_000, 0)
      counted('candidate', records, failed)
      return judge.verdict()?.reason
    }
    assert.equal(verdictOf(100, 2), undefined)
    assert.equal(verdictOf(10_000, 20), undefined)
    assert.match(verdictOf(100, 3)!, /which counts as 1 %; allowed are 2 times that, 2 %$/)
    assert.equal(
      verdictOf(10_000, 21),
      'in the last 0 s 21 of 10,000 records (0.21 %) failed on the candidate, and 0 of 100,000 records (0 %) on the stable model, ' +
        'which counts as 0.1 %; allowed are 2 times that, 0.2 %',
    )
  })

  it('J3: a model is never too slow beside itself, in batches of whatever sizes', () => {
    const cost = fc.tuple(fc.double({ min: 0, max: 20, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
    fc.assert(
      fc.property(cost, batchSizes(60), batchSizes(60), ([callMs, rowMs], stable, candidate) => {
        const { judge } = judging({ latencyFactor: 1.2, minRecords: 1 })
        for (const rows of stable) judge.ran('stable', rows, callMs + rows * rowMs)
        for (const rows of candidate) judge.ran('candidate', rows, callMs + rows * rowMs)
        assert.equal(judge.verdict(), undefined)
      }),
      { numRuns: 300 },
    )
  })

  it('J3: one that takes more than the factor for the same batches is found, one that takes less is not', () => {
    const cost = fc.tuple(fc.double({ min: 1, max: 20, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
    const factor = fc.double({ min: 0.5, max: 20, noNaN: true })
    fc.assert(
      fc.property(cost, factor, factor, batchSizes(20), ([callMs, rowMs], slower, latencyFactor, sizes) => {
        const { judge } = judging({ latencyFactor, minRecords: 1 })
        // Of each size, as many batches on both sides: the slowest one that is left out changes nothing in the ratio.
        for (const rows of [...sizes, ...sizes]) {
          judge.ran('stable', rows, callMs + rows * rowMs)
          judge.ran('candidate', rows, slower * (callMs + rows * rowMs))
        }
        const verdict = judge.verdict()
        if (slower > latencyFactor * 1.2) assert.equal(verdict?.about, 'latency')
        if (slower < latencyFactor / 1.2) assert.equal(verdict, undefined)
        if (verdict) assert.ok(verdict.measured > slower / 1.2 && verdict.measured < slower * 1.2)
      }),
      { numRuns: 300 },
    )
  })

  it('J3: a size that the stable model has not had is bounded by those on both sides of it', () => {
    const verdictOf = (callMs: number, stable: readonly (readonly [rows: number, callMs: number])[]) => {
      const { judge } = judging()
      for (let i = 0; i < 20; i++) {
        for (const [rows, ms] of stable) judge.ran('stable', rows, ms)
        judge.ran('candidate', 100, callMs)
      }
      return judge.verdict()?.measured
    }
    const [smaller, larger] = [[10, 1] as const, [1_000, 2] as const]
    assert.deepEqual([verdictOf(19, [smaller]), verdictOf(25, [smaller])], [undefined, 2.5])
    assert.deepEqual([verdictOf(3.9, [larger]), verdictOf(5, [larger])], [undefined, 2.5])
    assert.deepEqual([verdictOf(3.9, [smaller, larger]), verdictOf(5, [smaller, larger])], [undefined, 2.5])
  })

  it('J3: says what was measured and what is allowed', () => {
    const { judge, goOn } = judging()
    for (let i = 0; i < 11; i++) {
      judge.ran('stable', 100, 2)
      judge.ran('candidate', 100, i === 0 ? 500 : 5)
    }
    goOn(1_500)
    assert.deepEqual(judge.verdict(), {
      about: 'latency',
      measured: 2.5,
      allowed: 2,
      reason:
        'in the last 1.5 s calls of the candidate took 2.5 times as long as the stable model needs for batches of the same sizes ' +
        '(50 and 20 µs a record, over 1,000 records in 10 calls, without the slowest); allowed are 2 times',
    })
  })

  it('J4: one slow call of the candidate is no verdict, two are', () => {
    const { judge, counted } = judging()
    counted('stable', 10_000, 0)
    counted('candidate', 10_000, 0)
    judge.ran('candidate', 10, 60_000)
    assert.equal(judge.verdict(), undefined)
    judge.ran('candidate', 10, 60_000)
    assert.equal(judge.verdict()?.about, 'latency')
  })

  it('J4: the slow call stays the slowest while the window goes on', () => {
    const { judge, goOn, counted } = judging()
    for (let tenth = 0; tenth < 18; tenth++) {
      counted('stable', 100, 0)
      counted('candidate', 100, 0)
      if (tenth === 8) judge.ran('candidate', 10, 60_000)
      assert.equal(judge.verdict(), undefined, `tenth ${tenth}`)
      goOn(WINDOW_MS / 10)
    }
  })

  it('J4: calls that take no time do not make others endlessly slow', () => {
    const { judge } = judging()
    for (let i = 0; i < 100; i++) {
      judge.ran('stable', 10, 0)
      judge.ran('candidate', 10, 0.15)
    }
    assert.equal(judge.verdict(), undefined)
  })

  it('J4: without a call of the stable model that gave results, latency is not judged', () => {
    const { judge, counted } = judging()
    judge.failed('stable', 1_000)
    counted('candidate', 1_000, 0)
    judge.ran('candidate', 1, 1e6)
    assert.equal(judge.verdict(), undefined)
  })

  it('what cannot be is refused, and spoils no figure', () => {
    const { judge } = judging()
    for (const [rows, ms] of [
      [0, 1],
      [1.5, 1],
      [1, -1],
      [1, Number.NaN],
      [1, Number.POSITIVE_INFINITY],
    ] as const) {
      assert.throws(() => judge.ran('stable', rows, ms), /\[BUG\]/)
    }
  })

  it('J1, J5: what it counts is the window and at most a tenth more where that is enough, and else all since there was', () => {
    const amount = fc.integer({ min: 0, max: 300 })
    const step = fc.record({ ms: fc.integer({ min: 0, max: WINDOW_MS }), stable: amount, good: amount, failed: amount })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const { judge, goOn, counted } = judging({ latencyFactor: 1e9 })
        let nowMs = 0
        const told: ((typeof steps)[number] & { readonly atMs: number })[] = []
        for (const each of steps) {
          goOn(each.ms)
          nowMs += each.ms
          counted('stable', each.stable, 0)
          counted('candidate', each.good + each.failed, each.failed)
          told.push({ ...each, atMs: nowMs })
          const verdict = judge.verdict()
          if (verdict === undefined) continue
          const [, seconds, failed, records, stable] = FIGURES.exec(verdict.reason)!.map(text =>
            text.replaceAll(',', ''),
          )
          const isLate = (atMs: number) => Math.abs((nowMs - atMs) / 1_000 - Number(seconds)) <= 0.01 * Number(seconds)
          const sums = told.filter(({ atMs }) => isLate(atMs)).map(({ atMs }) => sumsFrom(told, atMs).join())
          assert.ok(sums.includes([stable, records, failed].join()), `${verdict.reason}; ${sums}`)
          const [stableNow, candidateNow] = sumsFrom(told, nowMs - WINDOW_MS + 1)
          if (stableNow! >= 100 && candidateNow! >= 100) assert.ok(Number(seconds) <= 66.1, verdict.reason)
        }
      }),
    )
  })
})

const FIGURES = /^in the last (\S+) s ([\d,]+) of ([\d,]+) records .* and 0 of ([\d,]+) records/

interface Told {
  readonly atMs: number
  readonly stable: number
  readonly good: number
  readonly failed: number
}

/** What came from then on: records of the stable side, of the candidate, and how many of these failed. */
function sumsFrom(told: readonly Told[], fromMs: number): readonly number[] {
  const sums = [0, 0, 0]
  for (const { atMs, stable, good, failed } of told) {
    if (atMs < fromMs) continue
    sums[0]! += stable
    sums[1]! += good + failed
    sums[2]! += failed
  }
  return sums
}
