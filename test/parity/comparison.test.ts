import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kv, predictionResult } from 'kafka-run-inference'
import { differences } from '../../parity/difference.ts'
import type { Difference } from '../../parity/different-on-purpose.ts'
import { fromNeutral, toNeutral } from '../../parity/neutral.ts'
import { normalised } from '../../parity/normalise.ts'
import { thrownText } from '../../parity/our-text.ts'
import { parseRepr, placeOf, splitLocation } from '../../parity/python-text.ts'
import { whyNot } from '../../parity/verdict.ts'

const prediction = (inference: number) => ({ $prediction_result: { example: 1, inference, model_id: 'm0' } })

describe('differences are told', () => {
  const cases: readonly (readonly [string, unknown, unknown, readonly string[]])[] = [
    ['of a field, with its place', { main: [prediction(10)] }, { main: [prediction(11)] }, ['main[0].inference']],
    ['of a missing result, and of the others', { main: [1, 2] }, { main: [3] }, ['main:length', 'main[0]']],
    ['of another order of the same things', { main: [1, 2] }, { main: [2, 1] }, ['main:order']],
    ['of a key', [{ $tuple: ['a', 1] }], [{ $tuple: ['b', 1] }], ['[0][0]']],
    ['of what was not recorded', { main: [] }, { main: [], failed_elsewhere: [1] }, ['failed_elsewhere']],
    ['of what is not there', { main: [], metrics: {} }, { main: [] }, ['metrics']],
    ['of an error of other words', error('ValueError', 'a'), error('ValueError', 'b'), ['message']],
    [
      'of an error of ours that says something else',
      error('ValueError', 'key b maps to multiple model handlers'),
      error('TOPOLOGY_INVALID', 'mapping 0 (m) has no keys'),
      ['message', 'type'],
    ],
    [
      'of the count of what varies',
      { value: { count: 2, value_varies: true } },
      { value: { count: 1, sum: 3 } },
      ['value.count'],
    ],
    ['of a metric that is missing', { m: { value: { count: 2, value_varies: true } } }, {}, ['m']],
    ['of tensors, beyond a millionth', tensor([1, 2]), tensor([1, 2.00001]), ['']],
    ['of the shape of a tensor', tensor([1, 2]), tensor([1]), ['']],
  ]
  for (const [what, recorded, actual, fields] of cases)
    it(what, () => assert.deepEqual(differences(recorded, actual), fields))

  it('not of rounding in tensors, of times, and of the same error in words of our own', () => {
    assert.deepEqual(differences(tensor([0.1]), tensor([0.1 + 1e-8])), [])
    assert.deepEqual(differences({ value: { count: 2, value_varies: true } }, { value: { count: 2, sum: 5 } }), [])
    const said = error('ValueError', 'Minimum (5) must not be greater than maximum (2)')
    const ours = error(
      'TOPOLOGY_INVALID',
      'batch.minSize cannot be used, expected a whole number from 1 to maxSize (2), got 5',
    )
    assert.deepEqual(differences(said, ours), [])
  })
})

describe('a case fails', () => {
  const entry = (...fields: readonly string[]): Difference => ({ case: 'c', quirk: 'Q3', why: 'Because.', fields })

  it('when a field differs without a reason', () => {
    assert.match(whyNot(['main[0]', 'main[1]'], [entry('main[0]')], []) ?? '', /^differs without a reason: main\[1\]$/)
  })

  it('when what is said to differ is equal', () => {
    assert.match(whyNot(['main[0]'], [entry('main*', 'metrics')], []) ?? '', /^said to differ, but equal: metrics$/)
    assert.match(whyNot([], [entry('main')], []) ?? '', /^said to differ, but equal: main$/)
  })

  it('when a field has two reasons, or gives something else than it did', () => {
    assert.match(whyNot(['main[0]'], [entry('main*'), entry('*[0]')], []) ?? '', /^differs for two reasons: main\[0\]$/)
    assert.match(
      whyNot(['main[0]'], [entry('main*')], ['main[0]']) ?? '',
      /^what it gives here has changed: main\[0\]$/,
    )
  })

  it('not when exactly the named fields differ', () => {
    assert.equal(whyNot(['main[0].model_id', 'main[12].model_id'], [entry('main[*].model_id')], []), undefined)
    assert.equal(whyNot([], [], []), undefined)
  })
})

describe('what Python writes is read', () => {
  it('exceptions, with quotes, newlines and other letters', () => {
    assert.deepEqual(parseRepr(`ValueError('it\\'s "quoted"\\nline 2')`), {
      type: 'ValueError',
      message: 'it\'s "quoted"\nline 2',
    })
    assert.deepEqual(parseRepr('TypeError("\'int\' object is not iterable")'), {
      type: 'TypeError',
      message: "'int' object is not iterable",
    })
    assert.deepEqual(parseRepr('ValueError()'), { type: 'ValueError', message: '' })
    assert.deepEqual(parseRepr("Custom(42, 'detail')"), { type: 'Custom', message: "42, 'detail'" })
  })

  it('where a pipeline failed', () => {
    assert.equal(placeOf('RI/BeamML_RunInference_Preprocess-1/Map(check_threshold)'), 'RI preprocess[1]')
    assert.equal(placeOf('RI/BeamML_RunInference/ParDo(_RunInferenceDoFn)/ParDo(_RunInferenceDoFn)'), 'RI')
    const message = "p rejects bad [while running 'RI/BeamML_RunInference_Postprocess-0']"
    assert.deepEqual(splitLocation(message), { message: 'p rejects bad', where: 'RI postprocess[0]' })
    assert.deepEqual(splitLocation('no place'), { message: 'no place', where: undefined })
  })

  it('pairs, predictions, rows and numbers that are none', () => {
    const row = { $ndarray: { dtype: 'float32', shape: [2], data: [1, { $float: 'nan' }] } }
    for (const neutral of [{ $tuple: ['a', prediction(10)] }, row, { $float: '-inf' }, [1, 'x', null]])
      assert.deepEqual(toNeutral(fromNeutral(neutral)), neutral)
    assert.deepEqual(fromNeutral({ $tuple: ['a', 1] }), kv('a', 1))
    assert.deepEqual(fromNeutral(prediction(10)), predictionResult(1, 10, 'm0'))
    assert.deepEqual(fromNeutral({ $tuple: ['a', 1, 9] }), ['a', 1, 9])
  })

  it('metrics by name, and the key of a KeyError', () => {
    const metric = { kind: 'counter', namespace: 'N', name: 'n', step: 'RI/BatchElements/ParDo', value: 1 }
    assert.deepEqual(normalised({ metrics: [metric] }), { metrics: { 'counter N/n': { step: 'RI', value: 1 } } })
    assert.deepEqual(normalised({ last_line: "KeyError: 'zz'\n" }), { last_line: 'KeyError: zz\n' })
  })
})

describe('code and place are taken off what was thrown', () => {
  const cases = {
    '[FUNCTION_THREW] preprocess function 1: no': 'no',
    '[INFERENCE_FAILED] mul(m0): bad: 2': 'bad: 2',
    '[MODEL_UNUSABLE] mul(m0): loadModel("m0") failed: cannot load': 'cannot load',
    '[UNHANDLED] step RI, record in/0/1: E: [INFERENCE_FAILED] mul(m0): no; exceptionHandling.only of step RI is empty':
      'no',
  }
  for (const [message, thrown] of Object.entries(cases)) it(message, () => assert.equal(thrownText(message), thrown))
})

function error(type: string, message: string): object {
  return { type, message }
}

function tensor(data: readonly number[]): object {
  return { $ndarray: { dtype: 'float32', shape: [data.length], data } }
}
