import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { Candidate, StepModels } from '../../src/refresh/step-models.ts'
import { outage, published, unusable } from '../support/live-slots.ts'
import { slotOnTrial } from '../support/live-trials.ts'

const named = (modelId: string) => ({ modelId, modelName: modelId })
const trialOf = (revision: number, modelId: string, change: Partial<Candidate> = {}): StepModels => ({
  ...published(revision, 'a'),
  candidate: { model: named(modelId), mode: 'canary', percent: 10, salt: 's', ...change },
})

async function running(modelId = 'b', change: Partial<Candidate> = {}) {
  const slot = slotOnTrial()
  await slot.update(published(1, 'a'), 0)
  await slot.finish('a')
  await slot.update(trialOf(2, modelId, change), 1)
  await slot.finish(modelId)
  return slot
}

describe('a trial in an instance', () => {
  it('T1: the candidate has rows when it is loaded, and none before', async () => {
    const { step, update, finish, told } = slotOnTrial()
    await update(published(1, 'a'), 0)
    await finish('a')
    await update(trialOf(2, 'b'), 1)
    assert.deepEqual([told(), step.split], ['2 loading undefined', undefined])
    await finish('b')
    assert.deepEqual([told(), step.candidate], ['2 current b', 'b'])
    assert.ok(step.split && step.watch)
    assert.equal(step.shadow, undefined)
  })

  it('T1: one that fails has none, and why is told; the stable model serves on', async () => {
    const { slot, trial, step, update, finish, told } = slotOnTrial()
    await update(trialOf(2, 'b'), 1)
    await finish('a')
    await finish('b', unusable('garbage'))
    assert.deepEqual([told(), trial.isSettled, step.stable, step.split], ['2 failed undefined', true, 'a', undefined])
    assert.equal(trial.status()!.reason, '[MODEL_UNUSABLE] garbage')
    assert.equal(slot.status().state, 'current')
  })

  it('T1: an outage of its store holds nobody up, and is waited out', async () => {
    const { clock, trial, update, finish, told } = slotOnTrial()
    await update(trialOf(2, 'b'), 1)
    await finish('a')
    assert.equal(trial.isSettled, false)
    await finish('b', outage('no answer'))
    assert.equal(trial.isSettled, true)
    await clock.advance(250)
    await finish('b')
    assert.equal(told(), '2 current b')
  })

  it('a shadow is loaded in the same way, and has no rows', async () => {
    const { step } = await running('b', { mode: 'shadow', percent: 100 })
    assert.equal(step.split, undefined)
    const { candidateCohort, modelId, revision } = step.shadow!
    assert.deepEqual([candidateCohort, modelId, revision], [1, 'b', 2])
  })

  it('T2: a record that makes a canary of a shadow keeps it loaded', async () => {
    const { step, update, log } = await running('b', { mode: 'shadow' })
    await update(trialOf(3, 'b'), 2)
    assert.ok(step.split)
    assert.equal(step.shadow, undefined)
    assert.equal(log.filter(each => each === 'load b').length, 1)
  })

  it('what kept a shadow from its work is not told of the canary that it becomes', async () => {
    const { step, trial, update } = await running('b', { mode: 'shadow' })
    step.shadow!.onProblem('the topic does not exist')
    assert.equal(trial.status()!.reason, 'the topic does not exist')
    await update(trialOf(3, 'b'), 2)
    assert.equal(trial.status()!.reason, undefined)
  })

  it('T2: another candidate ends the one before it at once; the load of one that is wanted no more is cancelled', async () => {
    const { loads, log, step, update, finish, told } = await running()
    await update(trialOf(3, 'c'), 2)
    assert.deepEqual([step.candidate, step.split], [undefined, undefined])
    await update(trialOf(4, 'd'), 3)
    assert.ok(loads.find(({ modelId }) => modelId === 'c')!.signal.aborted)
    await finish('d')
    await finish('c')
    assert.deepEqual([told(), step.candidate], ['4 current d', 'd'])
    assert.ok(!log.includes('serve c'))
  })

  it('T3: it becomes the stable model at once, also while another one loads', async () => {
    const { slot, trial, step, update, log, open } = await running()
    await update(published(3, 'b', 'a'), 2)
    assert.deepEqual([step.stable, step.candidate, step.split], ['b', undefined, undefined])
    assert.deepEqual([slot.status().state, slot.status().modelId, trial.status()], ['current', 'b', undefined])
    assert.deepEqual([log.filter(each => each.startsWith('load')), open()], [['load a', 'load b'], 0])
  })

  it('T3: while it loads it is no model to promote: it is loaded as any other', async () => {
    const { step, update, finish, loads } = slotOnTrial()
    await update(trialOf(2, 'b'), 0)
    await finish('a')
    await update(published(3, 'b', 'a'), 1)
    assert.ok(loads.find(({ isCandidate }) => isCandidate)!.signal.aborted)
    await finish('b')
    assert.equal(step.stable, 'b')
  })

  it('the end of a trial takes it out of service', async () => {
    const { step, trial, update, log } = await running()
    await update(published(3, 'a'), 2)
    assert.deepEqual([step.candidate, step.split, trial.status()], [undefined, undefined, undefined])
    assert.equal(log.at(-1), 'drop b')
  })

  it('T1: one that is lost has no more rows, is loaded again, and given up at the third time', async () => {
    const { clock, step, trial, finish, told } = await running()
    for (let times = 1; times < 3; times++) {
      step.watch!.lost(outage('its worker ended'))
      assert.deepEqual([step.candidate, step.split, told()], [undefined, undefined, '2 loading undefined'])
      await clock.advance(30_000)
      await finish('b')
      assert.deepEqual([told(), step.candidate], ['2 current b', 'b'])
    }
    step.watch!.lost(outage('its worker ended'))
    await clock.advance(60_000)
    assert.deepEqual([step.candidate, told()], [undefined, '2 failed undefined'])
    assert.match(trial.status()!.reason!, /b was lost while it served, 3 times: .*its worker ended/)
  })

  it('T1: one that is lost behind the end of the instance has no more rows, and is not loaded again', async () => {
    const { clock, loads, step, trial } = await running()
    trial.close()
    step.watch!.lost(outage('its worker ended'))
    await clock.advance(60_000)
    assert.deepEqual([step.candidate, step.split, loads.length], [undefined, undefined, 2])
  })

  const abortIf = { failureFactor: 2, latencyFactor: 2, minRecords: 10 }

  it('T6: what would end the application ends it, here and for all, and once, without any rule', async () => {
    const { aborts, step, trial, told } = await running()
    const watch = step.watch!
    watch.threw(new RunInferenceError('UNHANDLED', `step s: RangeError: ${'x'.repeat(10_000)}`))
    assert.deepEqual([step.candidate, step.split, step.watch, told()], [...Array(3), '2 failed undefined'])
    assert.match(trial.status()!.reason!, /given up before it ends the application: .*step s: RangeError: x+…/)
    assert.deepEqual([aborts.length, aborts[0]!.reason.length], [1, 500])
  })

  it('T4: it is given up once, here and for all, and what waits for that ends with the next record', async () => {
    const { aborts, step, trial, update, told } = await running('b', { abortIf })
    const watch = step.watch!
    watch.ran('stable', 100, 1)
    watch.ran('candidate', 5, 1)
    watch.failed('candidate', 5)
    assert.deepEqual([step.candidate, told()], [undefined, '2 failed undefined'])
    assert.match(trial.status()!.reason!, /given up by the rule of its trial: .*5 of 10 records/)
    assert.deepEqual([step.watch, aborts.length], [undefined, 1])
    const [{ trial: of, reason, signal }] = aborts as [(typeof aborts)[0]]
    assert.deepEqual([of.slot, of.revision, of.candidate.model.modelId], ['s', 2, 'b'])
    assert.match(reason, /5 of 10 records/)
    assert.equal(signal.aborted, false)
    await update(published(3, 'a'), 2)
    assert.equal(signal.aborted, true)
  })

  it('T5: a canary whose thread is stuck is given up, here and for all, without a rule too', async () => {
    const { aborts, clock, step, trial, update, told } = await running()
    step.busyMs = 10_000
    await clock.advance(5_000)
    assert.equal(aborts.length, 0)
    step.busyMs = 10_001
    await clock.advance(1_000)
    assert.deepEqual([step.candidate, told(), aborts.length], [undefined, '2 failed undefined', 1])
    assert.match(trial.status()!.reason!, /given up before it ends this instance: .*inside native code for 10001 ms/)
    await clock.advance(60_000)
    await update(published(3, 'a'), 2)
    assert.equal(aborts.length, 1)
    assert.equal(clock.nextTimerMs(), undefined)
  })

  it('T5: a shadow is none of those that end an instance', async () => {
    const { aborts, clock, step } = await running('b', { mode: 'shadow' })
    step.busyMs = 1_000_000
    await clock.advance(60_000)
    assert.equal(aborts.length, 0)
  })

  it('T4: without a rule it is not judged, and each record is judged anew', async () => {
    const { aborts, step, update } = await running()
    step.watch!.failed('candidate', 1_000)
    await update(trialOf(3, 'b', { abortIf }), 2)
    step.watch!.ran('stable', 100, 1)
    step.watch!.ran('candidate', 9, 1)
    assert.equal(aborts.length, 0)
    step.watch!.ran('candidate', 9, 100)
    step.watch!.ran('candidate', 9, 100)
    assert.equal(aborts.length, 1)
    assert.match(aborts[0]!.reason, /times as long/)
  })
})
