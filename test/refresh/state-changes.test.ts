import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { aborted, promoted, published, rolledBack, withCandidate } from '../../src/refresh/state-changes.ts'
import { encodeStepModels, parseStepModels } from '../../src/refresh/state-codec.ts'
import { type Candidate, isSameModel, OWN_MODEL, type StepModels } from '../../src/refresh/step-models.ts'
import { anyCandidate, anyModel, anyState } from '../support/step-model-arbitraries.ts'

const AT = '2026-01-02T03:04:05.678Z'
const model = (modelId: string) => ({ modelId, modelName: modelId })
const candidate: Candidate = { model: model('c'), mode: 'canary', percent: 10, salt: 's' }

/** What may be done with a state at random; undefined where it does not apply. */
const change = fc.oneof(
  anyModel().map(each => (state?: StepModels) => published(state, each, 'p', AT)),
  anyCandidate().map(each => (state?: StepModels) => withCandidate(state, each, 'p', AT, 'trial')),
  fc.constant((state?: StepModels) => (state?.previous.length ? rolledBack(state, 'p', AT) : undefined)),
  fc.constant((state?: StepModels) => (state?.candidate ? promoted(state, 'p', AT) : undefined)),
  fc.constant((state?: StepModels) => (state?.candidate ? aborted(state, 'p', AT) : undefined)),
)

/** The ids that a state names, the stable one first. */
const line = ({ stable, previous }: StepModels) => [stable, ...previous].map(({ modelId }) => modelId)

describe('changes of a state', () => {
  it('are one revision each, never name one model twice in a row, keep five, and can be written and read', () => {
    fc.assert(
      fc.property(fc.option(anyState(), { nil: undefined }), fc.array(change, { maxLength: 12 }), (first, changes) => {
        let state = first
        for (const apply of changes) {
          const next = apply(state)
          if (next === undefined) continue
          assert.equal(next.revision, (state?.revision ?? 0) + 1)
          assert.ok(next.previous.length <= 5)
          const models = [next.stable, ...next.previous]
          for (const [i, each] of models.entries()) assert.ok(i === 0 || !isSameModel(each, models[i - 1]!))
          assert.deepEqual([next.publishedBy, next.publishedAt], ['p', AT])
          assert.deepEqual(parseStepModels(encodeStepModels(next), 'it'), next)
          state = next
        }
      }),
    )
  })

  it('leave what was stable first among what can be gone back to, and going back leads there', () => {
    fc.assert(
      fc.property(fc.option(anyState(), { nil: undefined }), anyModel(), (state, next) => {
        const before = state?.stable ?? OWN_MODEL
        fc.pre(!isSameModel(before, next))
        const now = published(state, next, 'p', AT)
        assert.deepEqual([now.stable, now.previous[0], now.candidate], [next, before, undefined])
        const back = rolledBack(now, 'q', AT)
        assert.deepEqual(back.stable, before)
        // The last of five may have made room.
        assert.deepEqual(back.previous, published(state, before, 'q', AT).previous.slice(0, back.previous.length))
        assert.equal(
          [back.stable, ...back.previous].filter(each => isSameModel(each, next)).length,
          countOf(state, next),
        )
      }),
    )
    function countOf(state: StepModels | undefined, next: StepModels['stable']): number {
      return published(state, next, 'p', AT).previous.filter(each => isSameModel(each, next)).length
    }
  })

  it('go back step by step to the handler’s own model, and no further', () => {
    let state = published(undefined, model('a'), 'p', AT)
    state = published(state, model('b'), 'p', AT, 'better')
    assert.deepEqual([line(state), state.revision, state.reason], [['b', 'a', ''], 2, 'better'])
    state = rolledBack(state, 'p', AT, 'worse')
    assert.deepEqual([line(state), state.revision, state.reason], [['a', ''], 3, 'worse'])
    state = rolledBack(state, 'p', AT)
    assert.deepEqual([line(state), state.revision, state.reason], [[''], 4, undefined])
    for (const none of [state, undefined])
      assert.throws(
        () => rolledBack(none, 'p', AT),
        /^\W*RunInferenceError: \[METADATA_INVALID\] there is no model to go back to\. The state has none/,
      )
  })

  it('go back to the model that is named, past others, which are gone then', () => {
    const state = ['a', 'b', 'a', 'c'].reduce<StepModels | undefined>(
      (at, id) => published(at, model(id), 'p', AT),
      undefined,
    )!
    assert.deepEqual(line(state), ['c', 'a', 'b', 'a', ''])
    assert.deepEqual(line(rolledBack(state, 'p', AT, undefined, 'a')), ['a', 'b', 'a', ''])
    assert.deepEqual(line(rolledBack(state, 'p', AT, undefined, 'b')), ['b', 'a', ''])
    assert.deepEqual(line(rolledBack(state, 'p', AT, undefined, '')), [''])
    assert.throws(
      () => rolledBack(state, 'p', AT, undefined, 'x'),
      /"x" is none of the models to go back to\. Known: "a", "b", "a", the handler's own/,
    )
  })

  it('do not go back beyond what was kept, although the handler’s own model was once before', () => {
    let state = ['1', '2', '3', '4', '5', '6', '7'].reduce<StepModels | undefined>(
      (at, id) => published(at, model(id), 'p', AT),
      undefined,
    )!
    assert.deepEqual(line(state), ['7', '6', '5', '4', '3', '2'])
    for (let i = 0; i < 5; i++) state = rolledBack(state, 'p', AT)
    assert.deepEqual(line(state), ['2'])
    assert.throws(() => rolledBack(state, 'p', AT), /there is no model to go back to/)
  })

  it('tell one model from another by id and checksum, not by the name of its metrics', () => {
    const a = { modelId: 'a', modelName: 'x', sha256: '0'.repeat(64) }
    const state = published(undefined, a, 'p', AT)
    assert.deepEqual(line(published(state, { ...a, modelName: 'y' }, 'p', AT)), ['a', ''])
    assert.deepEqual(line(published(state, { ...a, sha256: '1'.repeat(64) }, 'p', AT)), ['a', 'a', ''])
  })

  it('put a model on trial beside the stable one, also beside the handler’s own, and in place of another one', () => {
    const first = withCandidate(undefined, candidate, 'p', AT)
    assert.deepEqual([line(first), first.candidate, first.revision], [[''], candidate, 1])
    const second = withCandidate(published(first, model('a'), 'p', AT), { ...candidate, percent: 50 }, 'p', AT)
    assert.deepEqual([line(second), second.candidate!.percent], [['a', ''], 50])
    const third = withCandidate(second, candidate, 'p', AT)
    assert.deepEqual([line(third), third.candidate], [['a', ''], candidate])
  })

  it('end a trial: promoted it is stable, aborted it is gone, and a change of the stable model ends it too', () => {
    const state = withCandidate(published(undefined, model('a'), 'p', AT), candidate, 'p', AT)
    const outcomes = [
      promoted(state, 'p', AT),
      aborted(state, 'p', AT),
      published(state, model('b'), 'p', AT),
      rolledBack(state, 'p', AT),
    ]
    assert.deepEqual(outcomes.map(line), [['c', 'a', ''], ['a', ''], ['b', 'a', ''], ['']])
    for (const after of outcomes) {
      assert.equal(after.candidate, undefined)
      assert.throws(
        () => promoted(after, 'p', AT),
        /no model is on trial that could be promoted: revision 3 has no candidate/,
      )
      assert.throws(
        () => aborted(after, 'p', AT),
        /no model is on trial that could be aborted: revision 3 has no candidate/,
      )
    }
    assert.throws(() => aborted(undefined, 'p', AT), /nothing is published/)
  })
})
