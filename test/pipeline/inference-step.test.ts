import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type ErrorCode, RunInferenceError } from '../../src/errors.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { type FakeLane, type FakeStep, fakeLane, fakeStep } from '../support/fake-lanes.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const throwing = (code: ErrorCode, why = 'asked for') => new RunInferenceError(code, why)

function work(rows: number): WorkBlock {
  return workOf(blockOf(Array.from({ length: rows }, (_, i) => sourceRecord(i))), flowOf())
}

async function runNext({ step }: FakeStep, lane: FakeLane): Promise<void> {
  step.collect()
  const batch = step.take(lane, 'idle', [lane], 0, 0)!
  await step.run(step.acquire(lane, batch)!, batch)
}

const bad = (block: WorkBlock) =>
  Array.from({ length: block.block.count }, (_, row) => row).filter(row => block.failuresOf(row) !== undefined)

describe('a step at work', () => {
  it('N1–N3: every row is delivered, dead-lettered or put back, for any bad rows and any outage; slots come back', async () => {
    const given = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      bad: fc.array(fc.nat({ max: 39 }), { maxLength: 6 }),
      controlFails: fc.boolean(),
      fits: fc.integer({ min: 1, max: 40 }),
      lostAt: fc.option(fc.integer({ min: 1, max: 8 }), { nil: Number.POSITIVE_INFINITY }),
    })
    await fc.assert(
      fc.asyncProperty(given, async ({ rows, bad: badRows, controlFails, fits, lostAt }) => {
        const lane = fakeLane()
        const fake = fakeStep([lane])
        const block = work(rows)
        lane.controlFails = controlFails
        lane.answer = values => {
          if (lane.runs.length >= lostAt) throw throwing('LANE_LOST')
          if (values.length > fits) throw throwing('DEVICE_MEMORY')
          if (values.some(value => badRows.includes(value))) throw throwing('INFERENCE_FAILED')
        }
        fake.queue(block, [...new Array(rows).keys()])
        const outage = await runNext(fake, lane).then(
          () => undefined,
          (error: unknown) => error,
        )
        assert.equal(lane.occupied, 0, 'N3')
        const failed = bad(block)
        const queued = fake.batcher.queuedRows
        assert.equal(fake.delivered.length + failed.length + queued, rows, 'N1')
        assert.equal(new Set([...fake.delivered, ...failed]).size, fake.delivered.length + failed.length, 'N1: once')
        assert.ok(
          failed.every(row => badRows.includes(row)),
          'N2',
        )
        if (failed.length > 0) assert.ok(fake.delivered.length > 0 || !controlFails, 'N2: a lane that works')
        assert.ok(outage === undefined || queued > 0, 'an outage leaves rows in the queue')
        assert.ok(outage === undefined || (outage as RunInferenceError).retriable)
        assert.ok(block.donePrefix <= rows)
      }),
      { numRuns: 400 },
    )
  })

  it('rows that end their worker, or do not return, are found; the others are delivered, and each failure keeps its code', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const block = work(64)
    lane.answer = values => {
      if (values.includes(17)) throw throwing('WORKER_LOST', `${values.length} rows`)
      if (values.includes(40)) throw throwing('TIMEOUT', `${values.length} rows`)
    }
    fake.queue(block, [...new Array(64).keys()])
    await runNext(fake, lane)
    while (fake.batcher.queuedRows > 0) await runNext(fake, lane)
    assert.deepEqual(
      bad(block).map(row => block.failuresOf(row)!.map(({ error }) => error.message)),
      [['[WORKER_LOST] 1 rows'], ['[TIMEOUT] 1 rows']],
    )
    assert.equal(fake.delivered.length, 62)
    const deaths = lane.runs.filter(run => run.includes(17) || run.includes(40)).length
    assert.ok(deaths <= 2 * (Math.log2(64) + 2) + 1, `${deaths} workers were ended for two rows`)
  })

  it('batches that are too large for their time, or end their worker, become smaller; no row is blamed', async () => {
    for (const code of ['TIMEOUT', 'WORKER_LOST'] as const) {
      const lane = fakeLane()
      const fake = fakeStep([lane], { maxSize: 64 })
      const block = work(400)
      let deaths = 0
      lane.answer = values => {
        if (values.length <= 20) return
        deaths++
        throw throwing(code)
      }
      fake.queue(block, [...new Array(400).keys()])
      fake.step.collect()
      while (fake.batcher.queuedRows > 0) await runNext(fake, lane)
      assert.deepEqual([fake.delivered.length, bad(block)], [400, []])
      assert.deepEqual(fake.ceilings, [32, 16])
      assert.ok(deaths <= 4, `${deaths} workers were ended`)
    }
  })

  it('batches that are far too large for their time become smaller too, though the search cannot try all their rows', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane], { maxSize: 256 })
    const block = work(1_000)
    lane.answer = values => {
      if (values.length > 2) throw throwing('TIMEOUT')
    }
    fake.queue(block, [...new Array(1_000).keys()])
    do await runNext(fake, lane)
    while (fake.batcher.queuedRows > 0)
    assert.deepEqual([fake.delivered.length, bad(block)], [1_000, []])
    // Larger ones are tried again later.
    assert.deepEqual(fake.ceilings.slice(0, 7), [128, 64, 32, 16, 8, 4, 2])
  })

  it('a lane in trouble gets no batch while another one is well, and when none is, the first one does', async () => {
    const [first, second] = [fakeLane(0), fakeLane(1)]
    const { step } = fakeStep([first!, second!])
    first!.trouble = throwing('LANE_LOST')
    assert.deepEqual([step.canRunOn(first!), step.canRunOn(second!)], [false, true])
    await step.probe()
    second!.trouble = throwing('LANE_LOST')
    assert.deepEqual([step.canRunOn(first!), step.canRunOn(second!)], [true, false])
    assert.deepEqual([first!.controls, second!.controls], [0, 1])
  })

  it('rows that come back stand at the front, in their old order', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane], { maxSize: 3 })
    fake.queue(work(6), [0, 1, 2, 3, 4, 5])
    lane.answer = () => {
      throw throwing('LANE_LOST')
    }
    await assert.rejects(runNext(fake, lane), /LANE_LOST/)
    lane.answer = () => {}
    for (let i = 0; i < 2; i++) await runNext(fake, lane)
    assert.deepEqual(fake.delivered, [0, 1, 2, 3, 4, 5])
  })

  for (const code of ['RESULT_COUNT', 'SHAPE_MISMATCH'] as const) {
    it(`${code} fails the whole batch without a search, after the control batch`, async () => {
      const lane = fakeLane()
      const fake = fakeStep([lane])
      const block = work(4)
      fake.queue(block, [0, 1, 2, 3])
      lane.answer = () => {
        throw throwing(code)
      }
      await runNext(fake, lane)
      assert.deepEqual([lane.runs.length, lane.controls], [1, 1])
      assert.deepEqual(bad(block), [0, 1, 2, 3])
      assert.equal(block.failuresOf(0)![0]!.error.code, code)
      assert.equal(block.failuresOf(0)![0]!.modelId, 'm')
    })

    it(`${code} while the control batch fails is an outage`, async () => {
      const lane = fakeLane()
      const fake = fakeStep([lane])
      const block = work(4)
      fake.queue(block, [0, 1, 2, 3])
      lane.controlFails = true
      lane.answer = () => {
        throw throwing(code)
      }
      await assert.rejects(runNext(fake, lane), /MODEL_OUTAGE/)
      assert.deepEqual(bad(block), [])
      assert.equal(fake.batcher.queuedRows, 4)
    })
  }

  it('N4: a batch that does not fit the device comes back in halves, in order; nobody is blamed, no control batch is run', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane], { maxSize: 16 })
    const block = work(16)
    const rows = [...new Array(16).keys()]
    fake.queue(block, rows)
    lane.answer = values => {
      if (values.length > 5) throw throwing('DEVICE_MEMORY')
    }
    do await runNext(fake, lane)
    while (fake.batcher.queuedRows > 0)
    assert.deepEqual(
      lane.runs.map(({ length }) => length),
      [16, 8, 4, 4, 4, 4],
    )
    assert.deepEqual(fake.delivered, rows)
    assert.deepEqual([bad(block), lane.controls, lane.occupied], [[], 0, 0])
  })

  it('N4: a row that does not fit alone, twice, becomes a dead letter after the control batch; the others go on', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const block = work(8)
    fake.queue(block, [...new Array(8).keys()])
    lane.answer = values => {
      if (values.includes(3)) throw throwing('DEVICE_MEMORY')
    }
    do await runNext(fake, lane)
    while (fake.batcher.queuedRows > 0)
    assert.deepEqual(bad(block), [3])
    assert.equal(block.failuresOf(3)![0]!.error.code, 'DEVICE_MEMORY')
    assert.equal(lane.controls, 1)
    assert.deepEqual(fake.delivered, [0, 1, 2, 4, 5, 6, 7])
  })

  it('N4: when not even the control batch fits, it is an outage', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const block = work(4)
    fake.queue(block, [0, 1, 2, 3])
    lane.controlFails = true
    lane.answer = () => {
      throw throwing('DEVICE_MEMORY')
    }
    await runNext(fake, lane)
    await runNext(fake, lane)
    await assert.rejects(runNext(fake, lane), /MODEL_OUTAGE/)
    assert.deepEqual([bad(block), fake.batcher.queuedRows], [[], 4])
  })

  it('an error of ours while results are handed on is not taken for a bad row, and nothing is delivered twice', async () => {
    const lane = fakeLane()
    let deliveries = 0
    const output = {
      deliver() {
        deliveries++
        throw new TypeError('a bug')
      },
    }
    const fake = fakeStep([lane], {}, { output } as never)
    const block = work(4)
    fake.queue(block, [0, 1, 2, 3])
    await assert.rejects(runNext(fake, lane), TypeError)
    assert.deepEqual([deliveries, lane.runs.length, lane.occupied], [1, 1, 0])
    assert.deepEqual(bad(block), [])
  })

  it('rows of a partition that was lost meanwhile do not come back', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const [kept, gone] = [work(2), work(2)]
    fake.queue(kept, [0, 1])
    fake.queue(gone, [2, 3])
    lane.answer = () => {
      gone.flow.lost = true
      throw throwing('LANE_LOST')
    }
    await assert.rejects(runNext(fake, lane), /LANE_LOST/)
    assert.equal(fake.batcher.queuedRows, 2)
  })

  it('N7: the outage of a model is over when the rows that met it are lost, and not before', () => {
    const over: number[] = []
    const models = { isOnDemand: true, refusalOf: () => undefined, rested: () => [0], letGo: () => {} }
    const fake = fakeStep([fakeLane()], {}, {
      models: { ...models, outageOver: (cohort: number) => over.push(cohort) },
    } as never)
    const [kept, gone] = [work(2), work(2)]
    fake.queue(kept, [0, 1])
    fake.queue(gone, [2, 3])
    fake.step.collect()
    for (const [block, told] of [
      [gone, []],
      [kept, [0]],
    ] as const) {
      block.flow.lost = true
      fake.step.dropLost()
      fake.step.collect()
      assert.deepEqual(over, told)
    }
  })

  it('tells which blocks may have become done, also when the batch fails', async () => {
    const told: number[] = []
    const lane = fakeLane()
    const fake = fakeStep([lane], {}, { onProgress: works => told.push(works.size) })
    fake.queue(work(2), [0, 1])
    fake.queue(work(2), [2, 3])
    await runNext(fake, lane)
    fake.queue(work(1), [4])
    lane.answer = () => {
      throw throwing('LANE_LOST')
    }
    await assert.rejects(runNext(fake, lane))
    assert.deepEqual(told, [2, 1])
  })
})
