import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { loadingLane, modelSetOn } from '../support/loading-lanes.ts'

const [A, B, C] = [0, 1, 2]
const broken = new RunInferenceError('MODEL_UNUSABLE', 'the file is empty')
const lost = new RunInferenceError('LANE_LOST', 'the worker has ended')

describe('the models of a step, loaded on demand', () => {
  it('M1: nothing is loaded at the start, and a lane asks for the model of the rows that wait', async () => {
    const lane = loadingLane(0)
    const { set, load } = modelSetOn([lane], 2)
    await set.open()
    assert.deepEqual([lane.log, set.answer(lane, A, false, 0)], [[], 'load'])
    await load(lane, A)
    assert.deepEqual([lane.log, set.answer(lane, A, false, 0)], [['load a'], 'run'])
    assert.equal(set.modelIn(lane, A)?.loaded.modelId, 'a')
    assert.equal(set.modelIn(lane, B), undefined)
  })

  it('M2: while a lane loads it takes no batches, and tells when it has ended', async () => {
    const lane = loadingLane(0)
    const { set, told } = modelSetOn([lane], 2)
    assert.ok(set.takesBatches(lane))
    set.load(lane, A)
    await Promise.resolve()
    assert.ok(!set.takesBatches(lane))
    await lane.finish()
    assert.ok(set.takesBatches(lane))
    assert.deepEqual(told, ['loaded a in 0: 1', 'changed'])
    assert.ok(!set.takesBatches(loadingLane(7)), 'a lane of others')
  })

  it('M3: rows go to the idle lane that holds their model; others load it only for a full batch, and up to its copies', async () => {
    const [first, second, third] = [loadingLane(0), loadingLane(1), loadingLane(2)]
    const { set, load } = modelSetOn([first, second, third], 1, { copies: 2 })
    set.load(first, A)
    await Promise.resolve()
    assert.deepEqual([set.answer(second, A, false, 0), set.answer(second, A, true, 0)], ['no', 'load'])
    await first.finish()
    assert.deepEqual(
      [set.answer(second, A, false, 0), set.answer(second, A, true, 0)],
      ['no', 'no'],
      'the first is idle',
    )
    first.occupied = 1
    assert.deepEqual([set.answer(second, A, false, 0), set.answer(second, A, true, 0)], ['no', 'load'])
    await load(second, A)
    second.occupied = 1
    assert.equal(set.answer(third, A, true, 0), 'no', 'two copies are there')
    second.trouble = lost
    assert.equal(set.answer(third, A, true, 0), 'load', 'one of them cannot work')
  })

  it('M4: a full lane stays with what it holds for four times its last load, unless it has nothing else to do', async () => {
    const lane = loadingLane(0)
    const { set, clock } = modelSetOn([lane], 2, { maxModelsPerWorker: 1 })
    set.load(lane, A)
    await clock.advance(100)
    await lane.finish()
    assert.equal(set.answer(lane, B, true, clock.now()), 'load-if-idle')
    await clock.advance(399)
    assert.equal(set.answer(lane, B, true, clock.now()), 'load-if-idle')
    await clock.advance(1)
    assert.equal(set.answer(lane, B, false, clock.now()), 'load')
  })

  it('M4: a quick load keeps a lane for 50 ms, a slow one for five seconds', async () => {
    const lane = loadingLane(0)
    const { set, clock, load } = modelSetOn([lane], 3, { maxModelsPerWorker: 1 })
    await load(lane, A)
    assert.equal(set.answer(lane, B, false, clock.now() + 49), 'load-if-idle')
    assert.equal(set.answer(lane, B, false, clock.now() + 50), 'load')
    set.load(lane, B)
    await clock.advance(60_000)
    await lane.finish()
    assert.equal(set.answer(lane, C, false, clock.now() + 4_999), 'load-if-idle')
    assert.equal(set.answer(lane, C, false, clock.now() + 5_000), 'load')
  })

  it('M5: a load that fails is remembered for ten seconds in its lane; rows are refused when no lane is left', async () => {
    const [first, second] = [loadingLane(0), loadingLane(1)]
    const { set, clock, told } = modelSetOn([first, second], 2)
    set.load(first, A)
    await Promise.resolve()
    await first.finish(broken)
    assert.deepEqual(told, ['changed'])
    assert.equal(set.refusalOf(A), undefined, 'the other lane may be able to')
    assert.deepEqual([set.answer(first, A, true, 0), set.answer(second, A, false, 0)], ['no', 'load'])
    await clock.advance(1_000)
    set.load(second, A)
    await Promise.resolve()
    await second.finish(broken)
    assert.deepEqual(told.slice(1), ['refused a: MODEL_LOAD_FAILED', 'changed'])
    assert.match(set.refusalOf(A)!.message, /model a of key a in step s cannot be loaded, .* the file is empty/)
    assert.equal(set.refusalOf(B), undefined)
    await clock.advance(9_000)
    assert.equal(set.refusalOf(A), undefined, 'the first lane may try again')
    assert.deepEqual(
      [set.answer(first, A, false, clock.now()), set.answer(second, A, false, clock.now())],
      ['load', 'no'],
    )
  })

  it('M5: nothing is refused while another lane holds the model, or all are in trouble', async () => {
    const [first, second] = [loadingLane(0), loadingLane(1)]
    const { set, told, load } = modelSetOn([first, second], 1)
    await load(first, A)
    first.occupied = 1
    set.load(second, A)
    await Promise.resolve()
    await second.finish(broken)
    first.trouble = lost
    second.trouble = lost
    set.load(second, A)
    await Promise.resolve()
    await second.finish(broken)
    assert.ok(!told.some(each => each.startsWith('refused')))
  })

  it('M6: an outage rests the model, longer each time, and no other; a load that works ends it', async () => {
    const lane = loadingLane(0)
    const { set, clock, told, load } = modelSetOn([lane], 2)
    for (const restMs of [100, 200, 400]) {
      set.load(lane, A)
      await Promise.resolve()
      await lane.finish(lost)
      assert.deepEqual([set.answer(lane, A, true, clock.now()), set.answer(lane, B, true, clock.now())], ['no', 'load'])
      told.length = 0
      await clock.advance(restMs)
      assert.deepEqual(told, ['changed'], `after ${restMs} ms`)
      assert.equal(set.answer(lane, A, true, clock.now()), 'load')
    }
    await load(lane, A)
    assert.deepEqual(told.slice(1), ['recovered', 'loaded a in 0: 1', 'changed'])
    assert.equal(set.refusalOf(A), undefined)
  })

  it('M6: a model that is out while it is loaded rests too', async () => {
    const lane = loadingLane(0)
    const { set, clock, load } = modelSetOn([lane], 2)
    await load(lane, A)
    assert.ok(set.rest(A, new RunInferenceError('MODEL_OUTAGE', 'the control batch fails')))
    assert.equal(set.answer(lane, A, true, clock.now()), 'no')
    assert.deepEqual([...set.rested(99)], [])
    assert.deepEqual([...set.rested(100)], [A])
    set.outageOver(A)
    assert.equal(set.answer(lane, A, true, clock.now()), 'run')
  })

  it('M6: while a lane is well, one in trouble gets nothing, and a lane that was lost rests the model; else the whole step', () => {
    const [first, second] = [loadingLane(0), loadingLane(1)]
    const { set } = modelSetOn([first, second], 1)
    first.trouble = lost
    assert.deepEqual([set.answer(first, A, true, 0), set.answer(second, A, true, 0)], ['no', 'load'])
    second.trouble = lost
    assert.deepEqual([set.answer(first, A, true, 0), set.answer(second, A, true, 0)], ['load', 'no'])
    assert.ok(!set.rest(A, lost))
    assert.equal(set.answer(first, A, true, 0), 'load')
    second.trouble = undefined
    assert.ok(set.rest(A, lost))
    assert.equal(set.answer(second, A, true, 0), 'no')
  })

  it('a lane that is being closed says nothing, and a bug of ours is no dead letter', async () => {
    const lane = loadingLane(0)
    const { set, told } = modelSetOn([lane], 1)
    for (const code of ['CLOSED', 'BUG'] as const) {
      set.load(lane, A)
      await Promise.resolve()
      await lane.finish(new RunInferenceError(code, 'x'))
    }
    assert.deepEqual(told, ['fatal: RunInferenceError: [BUG] x'])
  })
})
