import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { StepOptions } from 'kafka-run-inference'
import type { RunInferenceError } from '../../src/errors.ts'
import type { StepNode } from '../../src/graph.ts'
import { FloodGuard, type FloodLimits, type FloodMeter } from '../../src/pipeline/flood-guard.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { calculation, timesTen } from '../support/number-handlers.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const LIMITS: FloodLimits = { floodRatio: 1, floodWindowMs: 60_000, floodMinRecords: 100 }
const work = () => workOf(blockOf([sourceRecord(0)]), flowOf())

function guardOf(limits: Partial<FloodLimits> = {}) {
  const clock = createManualClock()
  const told: RunInferenceError[] = []
  const guard = new FloodGuard({ ...LIMITS, ...limits, clock, onTrip: reason => told.push(reason) })
  return { clock, guard, told, fail: failing(guard) }
}

function stepWith(options: StepOptions<number>): StepNode {
  return calculation(timesTen().handler, options).steps[0]!
}

function failing(guard: FloodGuard) {
  return (meter: FloodMeter, count: number, at = work()): void => {
    for (let i = 0; i < count; i++) meter.failed(at, 1, false)
    guard.look()
  }
}

describe('the flood guard', () => {
  it('F2: trips when bad > total × limit, strictly, and says where and how many', () => {
    const { guard, told, fail } = guardOf({ floodMinRecords: 1 })
    const meter = guard.meterOf(stepWith({ exceptionHandling: { threshold: 0.25 } }), 'inference')!
    meter.passed(work(), 75, 75)
    fail(meter, 25)
    assert.equal(told.length, 0, '25 of 100 is not more than 0.25')
    fail(meter, 1)
    assert.equal(told[0]!.code, 'TOO_MANY_DEAD_LETTERS')
    assert.match(told[0]!.message, /inference of step calc: 26 of 101 records failed in the last 60 s/)
    assert.match(told[0]!.message, /exceptionHandling.threshold is 0.25/)
  })

  it('F2: the first bad records of a quiet night halt nothing', () => {
    const { guard, told, fail } = guardOf({ floodRatio: 0.5 })
    const meter = guard.meterOf(stepWith({}), 'preprocess')!
    fail(meter, 99)
    assert.equal(told.length, 0)
    fail(meter, 1)
    assert.match(told[0]!.message, /100 of 100 records .* floodRatio is 0.5/)
  })

  it('F2: what is older than the window does not count, neither way', async () => {
    const { guard, told, clock, fail } = guardOf({ floodRatio: 0.5 })
    const meter = guard.meterOf(stepWith({}), 'preprocess')!
    meter.passed(work(), 100_000, 100_000)
    fail(meter, 90)
    await clock.advance(61_000)
    fail(meter, 99)
    assert.equal(told.length, 0)
    await clock.advance(30_000)
    fail(meter, 1)
    assert.match(told[0]!.message, /100 of 100/)
  })

  it('F2: what failed before the rest of its piece of work was counted trips nothing by itself', () => {
    const { guard, told } = guardOf({ floodRatio: 0.5 })
    const meter = guard.meterOf(stepWith({}), 'preprocess')!
    for (let i = 0; i < 150; i++) meter.failed(work(), 1, false)
    meter.passed(work(), 350, 350)
    guard.look()
    assert.equal(told.length, 0, '150 of 500')
  })

  it('F2: over any course, it trips exactly when the share of the window says so', async () => {
    const event = fc.record({ ms: fc.nat(9_000), passed: fc.nat(40), failed: fc.nat(20) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 30 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        async (events, ratio) => {
          const { guard, told, clock } = guardOf({ floodRatio: ratio, floodWindowMs: 10_000, floodMinRecords: 20 })
          const meter = guard.meterOf(stepWith({}), 'inference')!
          const parts: { part: number; total: number; bad: number }[] = []
          let expected = false
          for (const { ms, passed, failed } of events) {
            await clock.advance(ms)
            const part = Math.floor(clock.now() / 1_000)
            const counts = { part, total: passed, bad: 0 }
            parts.push(counts)
            meter.passed(work(), passed, passed)
            for (let i = 0; i < failed; i++) meter.failed(work(), 1, false)
            guard.look()
            counts.bad += failed
            counts.total += failed
            const seen = parts.filter(each => each.part > part - 10)
            const total = seen.reduce((sum, each) => sum + each.total, 0)
            const bad = seen.reduce((sum, each) => sum + each.bad, 0)
            expected ||= failed > 0 && total >= 20 && bad > total * ratio
          }
          assert.equal(told.length > 0, expected)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('F3: in bundle mode each block counts alone, however small, when it is done', () => {
    const { guard, told, fail } = guardOf()
    const meter = guard.meterOf(
      stepWith({ batch: { mode: 'bundle' }, exceptionHandling: { threshold: 0.2 } }),
      'inference',
    )!
    const [good, bad] = [work(), work()]
    meter.passed(good, 1_000, 1_000)
    meter.passed(bad, 3, 3)
    fail(meter, 1, bad)
    assert.equal(told.length, 0, 'not before its end')
    guard.blockDone(good)
    assert.equal(told.length, 0)
    guard.blockDone(bad)
    assert.match(told[0]!.message, /1 of 4 records failed in one block/)
  })

  it('F3: in bundle mode the ratio of all steps is that of the window all the same', () => {
    const { guard, told, fail } = guardOf({ floodRatio: 0.5 })
    const meter = guard.meterOf(stepWith({ batch: { mode: 'bundle' } }), 'inference')!
    const block = work()
    fail(meter, 1, block)
    guard.blockDone(block)
    assert.equal(told.length, 0, 'one block of one record')
    fail(meter, 99)
    assert.match(told[0]!.message, /100 of 100 records failed in the last 60 s/)
  })

  it('F1: where batches fail as a whole they are what is counted, and their records are what is enough', () => {
    const { guard, told } = guardOf()
    const options: StepOptions<number> = { exceptionHandling: { threshold: 0.3, failureUnit: 'batch' } }
    const meter = guard.meterOf(stepWith(options), 'inference')!
    for (let batch = 0; batch < 7; batch++) meter.passed(work(), 1, 10)
    const failBatch = () => {
      meter.failed(work(), 1, false)
      for (let row = 1; row < 10; row++) meter.failed(work(), 0, false)
      guard.look()
    }
    failBatch()
    failBatch()
    failBatch()
    assert.equal(told.length, 0, '3 of 10 is not more than 0.3')
    failBatch()
    assert.match(told[0]!.message, /4 of 11 batches failed/)
  })

  it('F4: it is told once, until it is reset, which forgets what was counted', () => {
    const { guard, told, fail } = guardOf({ floodRatio: 0.5 })
    const meter = guard.meterOf(stepWith({}), 'preprocess')!
    fail(meter, 300)
    assert.equal(told.length, 1)
    guard.reset()
    fail(meter, 99)
    assert.equal(told.length, 1)
    fail(meter, 1)
    assert.equal(told.length, 2)
  })

  it('F5: nothing is counted where the limit is 1; a threshold of the step overrides the limit of all', () => {
    const { guard } = guardOf({ floodRatio: 0.1 })
    assert.equal(guard.meterOf(stepWith({ exceptionHandling: { threshold: 1 } }), 'inference'), undefined)
    assert.equal(guardOf().guard.meterOf(stepWith({}), 'inference'), undefined)
    const step = stepWith({})
    assert.equal(guard.meterOf(step, 'inference'), guard.meterOf(step, 'inference'), 'one meter for a stage')
  })

  it('a topology without a step counts the records that it reads', () => {
    const { guard, told } = guardOf({ floodRatio: 0.5, floodMinRecords: 4 })
    const meter = guard.meterOf(undefined, 'preprocess')!
    const block = workOf(blockOf([0, 1, 2, 3].map(offset => sourceRecord(offset))), flowOf())
    guard.decoded(block, 4)
    meter.failed(block, 1, true)
    meter.failed(block, 1, true)
    guard.look()
    assert.equal(told.length, 0)
    meter.failed(block, 1, true)
    guard.look()
    assert.match(told[0]!.message, /^\[TOO_MANY_DEAD_LETTERS\] preprocessing: 3 of 4 records/)
  })
})
