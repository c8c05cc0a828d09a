import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { outage, slotOf, published as state, unusable } from '../support/live-slots.ts'

describe('a slot in an instance', () => {
  it('L6: the handler’s own model serves where nothing is published', async () => {
    const { slot, update, finish, brief } = slotOf()
    await update(undefined, -1)
    assert.equal(brief(), '0 loading undefined')
    await finish('')
    assert.equal(brief(), '0 current own.onnx')
    assert.deepEqual(slot.status().positions, { 'in/0': 2 })
  })

  it('L1: a model that fails changes nothing, and why is told', async () => {
    const { slot, update, finish, brief, failures, log } = slotOf()
    await update(state(1, 'a'), 0)
    await finish('a')
    await update(state(2, 'b', 'a'), 1)
    assert.equal(brief(), '2 loading a')
    await finish('b', unusable('garbage'))
    assert.equal(brief(), '2 failed a')
    assert.equal(slot.status().reason, '[MODEL_UNUSABLE] garbage')
    assert.deepEqual(failures, ['b: [MODEL_UNUSABLE] garbage'])
    assert.deepEqual(log, ['load a', 'serve a', 'load b'])
  })

  it('L2, L3: a newer record cancels a load, and what that still brings is discarded', async () => {
    const { loads, update, finish, brief, log } = slotOf()
    await update(state(1, 'a'), 0)
    await finish('a')
    await update(state(2, 'b', 'a'), 1)
    await update(state(3, 'c', 'b'), 2)
    assert.ok(loads[1]!.signal.aborted)
    await finish('c')
    await finish('b')
    assert.equal(brief(), '3 current c')
    assert.deepEqual(log, ['load a', 'serve a', 'load b', 'load c', 'serve c', 'discard b'])
  })

  it('L4: back to what serves, while another one loads: nothing is loaded', async () => {
    const { update, finish, brief, log } = slotOf()
    await update(state(1, 'a'), 0)
    await finish('a')
    await update(state(2, 'b', 'a'), 1)
    await update(state(3, 'a', 'b', 'a'), 2)
    assert.equal(brief(), '3 current a')
    await finish('b')
    assert.deepEqual(log, ['load a', 'serve a', 'load b', 'discard b'])
  })

  it('L4: other bytes under the same name are another model', async () => {
    const { update, finish, log } = slotOf()
    const of = (sha256: string): StepModels => ({ ...state(1, 'a'), stable: { modelId: 'a', modelName: 'a', sha256 } })
    await update(of('1'), 0)
    await finish('a')
    await update(of('2'), 1)
    await finish('a')
    assert.deepEqual(log, ['load a', 'serve a', 'load a', 'serve a'])
  })

  it('L5: what failed is tried again with another record only', async () => {
    const { clock, update, finish, brief, log } = slotOf()
    await update(undefined, -1)
    await finish('')
    await update(state(1, 'b'), 0)
    await finish('b', unusable('garbage'))
    await clock.advance(3_600_000)
    assert.deepEqual(log, ['load ', 'serve ', 'load b'])
    await update(state(2, 'b'), 1)
    await finish('b')
    assert.equal(brief(), '2 current b')
  })

  it('L5: an outage is tried again, longer each time, and is told with its end', async () => {
    const { slot, clock, update, finish, brief, log } = slotOf()
    await update(undefined, -1)
    await finish('')
    await update(state(1, 'b'), 0)
    await finish('b', outage('no answer'))
    assert.equal(brief(), '1 loading own.onnx')
    assert.equal(slot.status().reason, '[MODEL_OUTAGE] no answer')
    await clock.advance(250)
    await finish('b', outage('no answer'))
    await clock.advance(499)
    assert.equal(log.filter(each => each === 'load b').length, 2)
    await clock.advance(1)
    await finish('b')
    assert.equal(brief(), '1 current b')
    assert.deepEqual(log.slice(-2), ['serve b', 'recovered'])
  })

  it('L5: another record ends the wait for an outage', async () => {
    const { clock, update, finish, brief, log } = slotOf()
    await update(state(1, 'b'), 0)
    await finish('b', outage('no answer'))
    await update(state(2, 'c'), 1)
    await finish('c')
    await clock.advance(60_000)
    assert.equal(brief(), '2 current c')
    assert.deepEqual(log, ['load b', 'outage', 'load c', 'serve c', 'recovered'])
  })

  it('L5: a model that ends its worker again and again is at fault itself', async () => {
    const { clock, update, finish, brief, failures } = slotOf()
    await update(undefined, -1)
    await finish('')
    await update(state(1, 'b'), 0)
    for (let i = 0; i < 3; i++) {
      await finish('b', new RunInferenceError('LANE_LOST', 'ended by SIGKILL'))
      await clock.advance(30_000)
    }
    assert.equal(brief(), '1 failed own.onnx')
    assert.match(failures[0]!, /ended the worker that loaded it, 3 times: .*SIGKILL/)
  })

  it('L6: at the start the newest of those before serves when the published one fails, under its own label', async () => {
    const { slot, update, finish, brief, failures } = slotOf()
    await update(state(3, 'c', 'b', 'a'), 5)
    await finish('c', unusable('garbage'))
    await finish('b', unusable('gone'))
    await finish('a')
    assert.equal(brief(), '3 failed a')
    assert.equal(slot.status().reason, '[MODEL_UNUSABLE] garbage')
    assert.deepEqual(failures, ['c: [MODEL_UNUSABLE] garbage', 'b: [MODEL_UNUSABLE] gone'])
  })

  it('L6: the handler’s own is the last to be tried', async () => {
    const { update, finish, brief } = slotOf()
    await update(state(3, 'c', 'b'), 5)
    await finish('c', unusable('garbage'))
    await finish('b', outage('no answer'))
    await finish('')
    assert.equal(brief(), '3 failed own.onnx')
  })

  it('L6: at the start an outage of what is published is waited for, and nothing older serves meanwhile', async () => {
    const { clock, update, finish, brief, log } = slotOf()
    await update(state(3, 'c', 'b'), 5)
    await finish('c', outage('no answer'))
    await clock.advance(250)
    await finish('c')
    assert.deepEqual([brief(), log], ['3 current c', ['load c', 'outage', 'load c', 'serve c', 'recovered']])
  })

  it('L6: without any model it waits, says for what, and goes on with the next record', async () => {
    const { slot, update, finish, brief } = slotOf({ hasOwn: false })
    await update(undefined, -1)
    assert.equal(brief(), '0 loading undefined')
    assert.match(slot.status().reason!, /the handler names no model, and none is published/)
    await update(state(1, 'b'), 0)
    await finish('b', unusable('garbage'))
    assert.equal(brief(), '1 failed undefined')
    await update(state(2, 'c', 'b'), 1)
    await finish('c')
    assert.equal(brief(), '2 current c')
  })

  it('L6: what no model can mend is the end where nothing serves, but not before everything was tried', async () => {
    const bug = new RunInferenceError('BUG', 'an invariant')
    const { update, finish, brief, hopeless } = slotOf()
    await update(state(2, 'b', 'a'), 1)
    await finish('b', bug)
    await finish('a', unusable('gone'))
    assert.deepEqual(hopeless, [])
    await finish('', unusable('gone'))
    assert.deepEqual([brief(), hopeless], ['2 failed undefined', ['[BUG] an invariant']])
  })

  it('L6: no such end where a model can help, be it another one, one that is published later, or the one that serves', async () => {
    const bug = new RunInferenceError('BUG', 'an invariant')
    const { update, finish, brief, hopeless } = slotOf()
    for (const { code } of [unusable('x'), new RunInferenceError('DEVICE_MEMORY', 'x')]) {
      await update(state(1, 'b'), 0)
      await finish('b', new RunInferenceError(code, 'x'))
      await finish('', unusable('gone'))
    }
    await update(state(2, 'c', 'b'), 1)
    await finish('c', bug)
    await finish('b')
    assert.equal(brief(), '2 failed b')
    await update(state(3, 'd', 'c'), 2)
    await finish('d', bug)
    assert.deepEqual([brief(), hopeless], ['3 failed b', []])
  })

  it('L7: a tombstone brings the handler’s own model back', async () => {
    const { update, finish, brief } = slotOf()
    await update(state(1, 'b'), 0)
    await finish('b')
    await update(undefined, 1)
    await finish('')
    assert.equal(brief(), '0 current own.onnx')
  })

  it('L7: without one of its own what serves stays, and why is told', async () => {
    const { slot, update, finish, brief } = slotOf({ hasOwn: false })
    await update(state(1, 'b'), 0)
    await finish('b')
    await update(undefined, 1)
    assert.equal(brief(), '0 failed b')
    assert.match(slot.status().reason!, /no model of its own to go back to/)
  })

  it('close: a load that is under way serves nothing any more', async () => {
    const { slot, update, finish, log } = slotOf()
    await update(state(1, 'b'), 0)
    slot.close()
    await finish('b')
    assert.deepEqual(log, ['load b', 'discard b'])
  })
})
