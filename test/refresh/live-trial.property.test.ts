import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { aborted, promoted, published, withCandidate } from '../../src/refresh/state-changes.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { outage, unusable } from '../support/live-slots.ts'
import { slotOnTrial } from '../support/live-trials.ts'

const model = fc.constantFrom('a', 'b', 'c').map(modelId => ({ modelId, modelName: modelId }))
const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('trial' as const),
      model,
      mode: fc.constantFrom('canary' as const, 'canary' as const, 'shadow' as const),
      percent: fc.constantFrom(1, 50, 100),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('publish' as const), model }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('promote' as const, 'promote' as const, 'abort' as const, 'tombstone' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which: fc.nat(3),
      how: fc.constantFrom('well' as const, 'well' as const, 'well' as const, 'unusable' as const, 'outage' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bad' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(40_000) }) },
)
const abortIf = { failureFactor: 2, latencyFactor: 2, minRecords: 1 }
const act = ['me', '2026-01-01T00:00:00Z'] as const

describe('a trial in an instance, whatever happens', () => {
  it('T1–T4 hold at every moment, and the newest record decides in the end', async () => {
    const property = fc.asyncProperty(fc.array(event, { maxLength: 40 }), async events => {
      const { slot, trial, step, clock, loads, log, aborts, open, update } = slotOnTrial()
      let state: StepModels | undefined
      let offset = -1
      // A stable model that is not there yet begins anew with each record.
      const trialLoads = () => loads.filter(({ isCandidate }) => isCandidate).length
      const take = async (next: StepModels | undefined) => {
        const before = { candidate: step.candidate, loads: trialLoads(), isCanary: step.split !== undefined }
        state = next
        await update(state, ++offset)
        const wanted = state?.stable.modelId ?? ''
        if (before.candidate !== undefined && before.candidate === wanted) {
          assert.deepEqual([step.stable, slot.status().state], [wanted, 'current'], 'T3')
        }
        if (before.candidate !== undefined && before.candidate === state?.candidate?.model.modelId) {
          const isReturned = before.isCanary && state!.candidate!.mode === 'shadow'
          if (before.candidate !== wanted && !isReturned) assert.equal(step.candidate, before.candidate, 'T2')
          else assert.ok(trialLoads() <= before.loads + 1)
        }
      }
      await take(undefined)
      const check = () => {
        const candidate = state?.candidate
        const status = trial.status()
        assert.equal(open(), 0, 'what was prepared has served or was discarded')
        assert.equal(status === undefined, candidate === undefined)
        if (step.candidate === undefined) {
          assert.deepEqual([step.split, step.shadow, step.watch], [undefined, undefined, undefined], 'T1')
          assert.notEqual(status?.state, 'current')
        } else {
          assert.equal(step.candidate, candidate?.model.modelId, 'T1')
          assert.equal(step.split === undefined, candidate!.mode === 'shadow')
          assert.equal(step.shadow === undefined, candidate!.mode === 'canary')
          assert.deepEqual([status!.state, status!.modelId], ['current', step.candidate])
        }
        assert.equal(slot.status().modelId, step.stable)
        assert.ok(loads.filter(load => load.isCandidate && !load.isOver && !load.signal.aborted).length <= 1)
        assert.ok(aborts.filter(({ signal }) => !signal.aborted).length <= 1, 'T4')
      }
      for (const each of events) {
        const stable = step.stable
        if (each.kind === 'trial') {
          const { kind: _, ...candidate } = each
          await take(withCandidate(state, { ...candidate, salt: 's', abortIf }, ...act))
        } else if (each.kind === 'publish') {
          await take(published(state, each.model, ...act))
        } else if (each.kind === 'tombstone') await take(undefined)
        else if (each.kind === 'promote' || each.kind === 'abort') {
          if (state?.candidate) await take((each.kind === 'promote' ? promoted : aborted)(state, ...act))
        } else if (each.kind === 'time') await clock.advance(each.ms)
        else if (each.kind === 'lost') {
          step.watch?.lost(outage('its worker ended'))
          assert.equal(step.stable, stable, 'T1')
        } else if (each.kind === 'bad') {
          step.watch?.ran('stable', 100, 1)
          step.watch?.failed('candidate', 100)
          assert.equal(step.stable, stable, 'T1')
          if (step.candidate !== undefined) assert.ok(step.shadow, 'T4')
        } else if (each.kind === 'end') {
          const { which, how } = each
          const ends = loads.filter(load => !load.isOver)
          const load = ends[which % Math.max(1, ends.length)]
          load?.finish(how === 'unusable' ? unusable('bad') : how === 'outage' ? outage('out') : undefined)
          await clock.settle()
          if (load?.isCandidate) assert.equal(step.stable, stable, 'T1')
        }
        check()
      }
      // From now on everything loads, and another record comes.
      await take(
        withCandidate(
          state,
          { model: { modelId: 'z', modelName: 'z' }, mode: 'canary', percent: 5, salt: 't' },
          ...act,
        ),
      )
      for (let i = 0; i < 8; i++) {
        for (const load of loads) if (!load.isOver) load.finish()
        await clock.advance(30_000)
      }
      check()
      assert.equal(step.candidate, 'z', log.join(', '))
    })
    await fc.assert(property, { numRuns: 300 })
  })
})
