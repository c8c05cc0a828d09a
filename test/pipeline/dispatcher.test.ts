import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { LANE_PLACES } from '../../src/models/executor.ts'
import { type BreakerState, createBreaker } from '../../src/ops/breaker.ts'
import { sleep } from '../../src/ops/clock.ts'
import { Dispatcher } from '../../src/pipeline/dispatcher.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { type FakeLane, type FakeStep, fakeLane, fakeStep } from '../support/fake-lanes.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const ROWS = 50
const block = () => workOf(blockOf(Array.from({ length: ROWS }, (_, i) => sourceRecord(i))), flowOf())
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

function setUp(lanes: readonly FakeLane[], steps: readonly FakeStep[]) {
  const clock = createManualClock()
  const outages: string[] = []
  const fatal: unknown[] = []
  const states: BreakerState[] = []
  const dispatcher: Dispatcher = new Dispatcher({
    lanes,
    steps: steps.map(({ step }) => {
      const breaker = createBreaker({ name: 'm', clock, probe: () => step.probe() })
      breaker.onChange(state => {
        states.push(state)
        if (state === 'closed') dispatcher.resume(step)
      })
      return { step, breaker, cohorts: 1 }
    }),
    clock,
    random: () => 0.5,
    onOutage: (_step, error) => outages.push((error as RunInferenceError).code),
    onRecovered: () => outages.push('recovered'),
    onFatal: error => fatal.push(error),
    onQuiet: () => {},
  })
  return { clock, dispatcher, outages, fatal, states }
}

/** A lane whose runs wait until the returned function is called. */
function held(lane: FakeLane): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  lane.answer = () => promise
  return resolve
}

const sizes = (lane: FakeLane) => lane.runs.map(run => run.length)

describe('the dispatcher', () => {
  it('shares what waits among the idle lanes, then fills prefetch places with full batches only', async () => {
    const lanes = [fakeLane(0), fakeLane(1)]
    const fake = fakeStep(lanes, { maxSize: 10 })
    const { clock, dispatcher } = setUp(lanes, [fake])
    const release = lanes.map(held)
    fake.queue(block(), numbers(8))
    dispatcher.schedule()
    await clock.settle()
    assert.deepEqual(lanes.map(sizes), [[4], [4]])
    fake.queue(block(), numbers(25))
    dispatcher.schedule()
    await clock.settle()
    assert.deepEqual(lanes.map(sizes), [
      [4, 10],
      [4, 10],
    ])
    assert.equal(dispatcher.running, 4)
    for (const open of release) open()
    await clock.settle()
    assert.equal(fake.delivered.length, 33)
    assert.equal(dispatcher.running, 0)
  })

  it('shares what waits among those lanes only that run its model', async () => {
    const [device, ...others] = [fakeLane(0), fakeLane(1), fakeLane(2), fakeLane(3)]
    const [onDevice, onAll] = [fakeStep([device!], { maxSize: 10 }), fakeStep([device!, ...others], { maxSize: 10 })]
    const { clock, dispatcher } = setUp([device!, ...others], [onDevice, onAll])
    onDevice.queue(block(), numbers(8))
    onAll.queue(block(), numbers(9, 100))
    dispatcher.schedule()
    await clock.settle()
    assert.deepEqual(sizes(device!), [8])
    assert.deepEqual(others.map(sizes), [[3], [3], [3]])
  })

  it('lets steps take turns, so that a busy one does not starve a quiet one', async () => {
    const lane = fakeLane()
    const [busy, quiet] = [fakeStep([lane], { maxSize: 5 }), fakeStep([lane], { maxSize: 5 })]
    const { clock, dispatcher } = setUp([lane], [busy, quiet])
    lane.answer = () => sleep(clock, 1)
    for (const from of [0, 50, 100, 150]) busy.queue(block(), numbers(50, from))
    quiet.queue(block(), numbers(1, 1000))
    dispatcher.schedule()
    await clock.advance(40)
    const at = lane.runs.findIndex(run => run.includes(1000))
    // Its patience of 5 ms, in which a lane has ended so many calls, and what stood in its places by then.
    assert.ok(at >= 0 && at <= 5 * LANE_PLACES + LANE_PLACES, `the quiet step came at call ${at}`)
    assert.equal(busy.delivered.length, 200)
  })

  it('has the few rows of a step wait for a full batch while the lane is busy with another step', async () => {
    const lane = fakeLane()
    const [busy, few] = [fakeStep([lane], { maxSize: 5 }), fakeStep([lane], { maxSize: 5 })]
    const { clock, dispatcher } = setUp([lane], [busy, few])
    lane.answer = () => sleep(clock, 1)
    for (const from of [0, 50]) busy.queue(block(), numbers(50, from))
    few.queue(block(), numbers(1, 1000))
    dispatcher.schedule()
    await clock.advance(2)
    few.queue(block(), numbers(4, 1001))
    dispatcher.schedule()
    await clock.advance(40)
    assert.deepEqual(
      lane.runs.filter(run => run[0]! >= 1000),
      [[1000, 1001, 1002, 1003, 1004]],
    )
  })

  it('P2: an outage rests the step, longer each time, and the open breaker keeps its rows queued until the control batch passes', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const { clock, dispatcher, outages, states } = setUp([lane], [fake])
    lane.controlFails = true
    lane.answer = () => {
      throw new RunInferenceError('INFERENCE_FAILED', 'gone')
    }
    fake.queue(block(), numbers(4))
    dispatcher.schedule()
    const times: number[] = []
    for (let ms = 0; ms < 4_000; ms += 25) {
      const before = lane.runs.length
      await clock.advance(25)
      if (lane.runs.length > before) times.push(clock.now())
    }
    const pauses = times.slice(1).map((time, i) => time - times[i]!)
    assert.ok(
      pauses.every((pause, i) => i === 0 || pause > pauses[i - 1]!),
      `pauses grow: ${pauses}`,
    )
    assert.equal(states[0], 'open')
    const runs = lane.runs.length
    await clock.advance(20_000)
    assert.equal(lane.runs.length, runs, 'nothing but the control batch while it is open')
    assert.equal(fake.batcher.queuedRows, 4)
    lane.controlFails = false
    lane.answer = () => {}
    await clock.advance(6_000)
    assert.equal(states.at(-1), 'closed')
    assert.deepEqual(fake.delivered, [0, 1, 2, 3])
    assert.equal(outages.at(-1), 'recovered')
  })

  it('an outage is told to be over by the control batch when the rows that met it are lost', async () => {
    for (const outageMs of [1_000, 30_000]) {
      const lane = fakeLane()
      const fake = fakeStep([lane])
      const { clock, dispatcher, outages } = setUp([lane], [fake])
      lane.controlFails = true
      lane.answer = () => {
        throw new RunInferenceError('INFERENCE_FAILED', 'gone')
      }
      const work = block()
      fake.queue(work, numbers(4))
      dispatcher.schedule()
      await clock.advance(outageMs / 2)
      work.flow.lost = true
      dispatcher.dropLost()
      await clock.advance(outageMs / 2)
      assert.notEqual(outages.at(-1), 'recovered')
      lane.controlFails = false
      await clock.advance(12_000)
      assert.equal(outages.at(-1), 'recovered', `after ${outageMs} ms`)
    }
  })

  it('P2: a run that does not end keeps its place while the breaker opens and closes: no lane ever has more than its places', async () => {
    const [stuck, other] = [fakeLane(0), fakeLane(1)]
    const fake = fakeStep([stuck, other])
    const { clock, dispatcher, states } = setUp([stuck, other], [fake])
    const release = held(stuck)
    other.controlFails = true
    other.answer = () => {
      throw new RunInferenceError('INFERENCE_FAILED', 'gone')
    }
    fake.queue(block(), numbers(40))
    dispatcher.schedule()
    await clock.advance(30_000)
    assert.ok(states.includes('open'))
    const under = stuck.runs.length
    assert.ok(under > 0 && under <= LANE_PLACES)
    other.controlFails = false
    other.answer = () => {}
    fake.queue(block(), numbers(40))
    await clock.advance(30_000)
    assert.equal(states.at(-1), 'closed')
    assert.ok(stuck.runs.length <= LANE_PLACES, `${stuck.runs.length} runs in ${LANE_PLACES} places`)
    release()
    await clock.advance(1_000)
    assert.equal(fake.delivered.length, 80, 'and what ran on was not lost')
  })

  it('P3: looks for work once, however often it was asked in one turn', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const { clock, dispatcher } = setUp([lane], [fake])
    for (let i = 0; i < 5; i++) {
      fake.queue(block(), [i])
      dispatcher.schedule()
    }
    await clock.settle()
    assert.deepEqual(sizes(lane), [5])
  })

  it('wakes up for a batch that is held, at its deadline', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane], { maxSize: 10, maxWaitMs: 30 })
    const { clock, dispatcher } = setUp([lane], [fake])
    fake.queue(block(), numbers(2))
    dispatcher.schedule()
    await clock.advance(29)
    assert.deepEqual(lane.runs, [])
    await clock.advance(1)
    assert.deepEqual(sizes(lane), [2])
  })

  it('an error that is no outage is fatal', async () => {
    const lane = fakeLane()
    const broken = fakeStep([lane], {}, {
      output: {
        deliver() {
          throw new TypeError('a bug')
        },
      },
    } as never)
    const { clock, dispatcher, fatal, outages } = setUp([lane], [broken])
    broken.queue(block(), [1])
    dispatcher.schedule()
    await clock.settle()
    assert.ok(fatal[0] instanceof TypeError)
    assert.deepEqual(outages, [])
  })

  it('a lane that is being closed is no error, and its rows are not taken again and again', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const { clock, dispatcher, fatal, outages } = setUp([lane], [fake])
    lane.answer = () => {
      throw new RunInferenceError('CLOSED', 'the lane was closed')
    }
    fake.queue(block(), [1])
    dispatcher.schedule()
    await clock.advance(10_000)
    assert.deepEqual([lane.runs.length, fake.batcher.queuedRows], [1, 1])
    assert.deepEqual([fatal, outages], [[], []])
  })

  it('after close nothing is dispatched', async () => {
    const lane = fakeLane()
    const fake = fakeStep([lane])
    const { clock, dispatcher } = setUp([lane], [fake])
    fake.queue(block(), [1])
    dispatcher.schedule()
    dispatcher.close()
    dispatcher.schedule()
    await clock.advance(1_000)
    assert.deepEqual(lane.runs, [])
    assert.equal(lane.occupied, 0)
  })
})
