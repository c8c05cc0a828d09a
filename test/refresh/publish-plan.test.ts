import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseAbortRule } from '../../src/refresh/abort-rule.ts'
import type { HistoryRecord } from '../../src/refresh/model-history.ts'
import {
  type Act,
  modelNameOf,
  publication,
  rollback,
  type TrialPlan,
  WATCH_REASON,
  watchVerdict,
} from '../../src/refresh/publish-plan.ts'
import type { ModelMetadata, StepModels } from '../../src/refresh/step-models.ts'

const AT = '2026-01-01T00:00:00.000Z'
const act: Act = { by: 'me', at: AT }
const model = (name: string, sha256 = name): ModelMetadata => ({ modelId: `${name}.onnx`, modelName: name, sha256 })
const trial: TrialPlan = { mode: 'canary', percent: 10, salt: 'x' }
const publish = (...names: readonly string[]) =>
  names.reduce<StepModels | undefined>((state, name) => publication(state, model(name), undefined, act), undefined)!
const recordsOf = (...states: readonly StepModels[]): HistoryRecord[] =>
  states.map((state, offset) => ({ offset, timestampMs: 0, slot: 's', state }))

describe('going back', () => {
  test('without a name to what was stable before', () => {
    assert.equal(rollback(publish('a', 'b'), undefined, [], act).stable.modelId, 'a.onnx')
    assert.equal(rollback(publish('a'), undefined, [], act).stable.modelId, '')
    assert.throws(() => rollback(undefined, undefined, [], act), /\[METADATA_INVALID\] there is no model to go back to/)
  })

  test('to a model id, to the handler’s own, or to a revision', () => {
    const state = publish('a', 'b', 'c')
    assert.equal(rollback(state, 'a.onnx', [], act).stable.modelId, 'a.onnx')
    assert.deepEqual(rollback(state, 'own', [], act).stable, { modelId: '', modelName: '' })
    assert.equal(rollback(state, '2', recordsOf(publish('a'), publish('a', 'b'), state), act).stable.modelId, 'b.onnx')
    assert.throws(
      () => rollback(state, 'z.onnx', [], act),
      /"z\.onnx" is none of .* Known: "b\.onnx", "a\.onnx", the handler's own/,
    )
    assert.throws(
      () => rollback(state, '9', recordsOf(publish('a'), state), act),
      /revision 9 is not in the log any more, which has 1, 3/,
    )
  })

  test('to a revision that the state does not reach any more', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const states = names.map((_, i) => publish(...names.slice(0, i + 1)))
    const back = rollback(states.at(-1), '1', recordsOf(...states), act)
    assert.deepEqual([back.stable.modelId, back.revision], ['a.onnx', 9])
  })

  test('to a revision whose bytes are not those that the same id has now', () => {
    const first = publication(undefined, model('a', 'old'), undefined, act)
    const now = publication(publication(first, model('a', 'new'), undefined, act), model('b'), undefined, act)
    const back = rollback(now, '1', recordsOf(first, now), act)
    assert.equal(back.stable.sha256, 'old')
  })

  test('any revision of the log gives its model, one revision later', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(names, fc.nat(), (all, i) => {
        const states = all.map((_, at) => publish(...all.slice(0, at + 1)))
        const wanted = states[i % states.length]!
        const back = rollback(states.at(-1), String(wanted.revision), recordsOf(...states), act)
        assert.deepEqual(back.stable, wanted.stable)
        assert.equal(back.revision, states.length + 1)
      }),
    )
  })
})

describe('publishing', () => {
  test('a trial leaves the stable model; one of the stable model itself is refused', () => {
    const state = publication(publish('a'), model('b'), trial, act)
    assert.deepEqual([state.stable.modelId, state.candidate], ['a.onnx', { model: model('b'), ...trial }])
    assert.throws(
      () => publication(publish('a'), model('a'), trial, act),
      /is what serves already \(revision 1\): there is nothing/,
    )
  })

  test('a trial of what is on trial keeps its salt; one of another model draws anew', () => {
    const state = publication(publish('a'), model('b'), trial, act)
    const wider = publication(state, model('b'), { ...trial, percent: 50, salt: 'y' }, act)
    assert.deepEqual([wider.revision, wider.candidate!.percent, wider.candidate!.salt], [3, 50, 'x'])
    assert.equal(publication(state, model('c'), { ...trial, salt: 'y' }, act).candidate!.salt, 'y')
  })

  test('metrics are named after the file', () => {
    const names = ['models/digits-v2.onnx', 's3://b/k/m.v2.onnx', 'https://h/m/', 'plain', '.hidden'].map(modelNameOf)
    assert.deepEqual(names, ['digits-v2', 'm.v2', 'm', 'plain', '.hidden'])
  })

  test('rules for giving a trial up are read, with what they leave out; anything else says what was expected', () => {
    assert.deepEqual(parseAbortRule('failures=3,latency=1.5,records=10'), {
      failureFactor: 3,
      latencyFactor: 1.5,
      minRecords: 10,
    })
    assert.deepEqual(parseAbortRule(' latency = 4 '), { failureFactor: 2, latencyFactor: 4, minRecords: 1_000 })
    for (const text of [
      '',
      'failures',
      'failures=',
      'failures=x',
      'failures=0',
      'records=1.5',
      'a=1',
      'latency=1,latency=2',
    ])
      assert.throws(() => parseAbortRule(text), /expected failures=/, text)
  })
})

describe('a file that a watch has found', () => {
  const file = (sha256: string, arrivedMs: number) => ({ sha256, arrivedMs })
  const now = Date.parse(AT)
  const byWatch: Act = { ...act, reason: `${WATCH_REASON}*.onnx` }

  test('is published when nothing is, and when it came after what was decided last', () => {
    assert.equal(watchVerdict(undefined, file('a', 0)), 'publish')
    assert.equal(watchVerdict(publish('a'), file('b', now + 1)), 'publish')
  })

  test('is not published twice, also where it is on trial', () => {
    assert.equal(watchVerdict(publish('a'), file('a', now + 1)), 'current')
    assert.equal(watchVerdict(publication(publish('a'), model('b'), trial, act), file('b', now + 1)), 'current')
  })

  test('does not take back what a person did after it came', () => {
    const watched = publication(publication(undefined, model('a'), undefined, byWatch), model('b'), undefined, byWatch)
    assert.equal(watchVerdict(rollback(watched, undefined, [], act), file('b', now - 1)), 'decided')
    // A watch that published an older file decided nothing about this one.
    assert.equal(watchVerdict(watched, file('c', now - 1)), 'publish')
  })

  test('whatever happens, what the watch publishes is then current, for as long as nobody else does anything', () => {
    const sha = fc.constantFrom('a', 'b', 'c')
    fc.assert(
      fc.property(fc.array(fc.tuple(sha, fc.boolean())), sha, fc.integer({ min: -5, max: 5 }), (before, last, ms) => {
        const state = before.reduce<StepModels | undefined>(
          (each, [name, isByWatch]) => publication(each, model(name), undefined, isByWatch ? byWatch : act),
          undefined,
        )
        const arrived = file(last, now + ms)
        const verdict = watchVerdict(state, arrived)
        const after = verdict === 'publish' ? publication(state, model(last), undefined, byWatch) : state
        assert.equal(watchVerdict(after, arrived), verdict === 'publish' ? 'current' : verdict)
      }),
    )
  })
})
