import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { float32, from, json, keyed, kv, modelHandler, onnx, topology, utf8 } from 'kafka-run-inference'
import { chosenSlot, chosenSlots, followedSlots, slotsOf } from '../../src/refresh/topology-slots.ts'

const own = modelHandler<number, number, undefined>({
  name: 'own',
  loadModel: () => undefined,
  runInference: batch => [...batch],
})
const digits = onnx({ model: 'm.onnx', inputs: { x: float32(4) }, outputs: { y: float32(2) } })
const perKey = keyed([
  { keys: ['de', 'at'], handler: own },
  { keys: ['7'], handler: own },
])
const perNumber = keyed([
  { keys: [7, 8], handler: own },
  { keys: [-0.5], handler: own },
])

const source = from('in', json<{ x: Float32Array }>())
const words = from('words', { key: utf8(), value: json<number>() })
const one = slotsOf(topology('one', [source.runInference('score', digits).to('out', json())]))
const several = slotsOf(
  topology('several', [
    source.runInference('score', digits).to('out', json()),
    words.runInference('by-key', perKey).to('out-2', json()),
    words
      .map(({ value }) => kv(value, value))
      .runInference('by-number', perNumber)
      .to('out-3', json()),
  ]),
)
const chosen = (flags: { step?: string; key?: string }) => chosenSlot(several, flags, 't.ts').text

describe('the slots of a topology', () => {
  test('are its steps, and of steps with a model for each key, their mappings by their first keys', () => {
    assert.deepEqual(
      several.map(({ text, cohort, keys }) => [text, cohort, keys]),
      [
        ['score', 0, undefined],
        ['by-key/"de"', 0, ['de', 'at']],
        ['by-key/"7"', 1, ['7']],
        ['by-number/7', 0, [7, 8]],
        ['by-number/-0.5', 1, [-0.5]],
      ],
    )
  })

  test('the step may be left out where there is one', () => {
    assert.equal(chosenSlot(one, {}, 't.ts').text, 'score')
    assert.throws(() => chosen({}), {
      message:
        /\[SETTINGS_INVALID\] --step: .*expected one of score, by-key, by-number, the steps of t\.ts, got undefined/,
    })
    assert.throws(() => chosen({ step: 'scores' }), /got "scores"\. Did you mean score\?/)
  })

  test('only steps that follow what is published have slots that can be written', () => {
    const followed = source.runInference('live', digits, { modelMetadata: true }).to('out', json())
    const deaf = source.runInference('deaf', digits).to('out-2', json())
    const both = topology('both', [followed, deaf])
    assert.deepEqual(
      followedSlots(both, undefined, 't.ts').map(({ text }) => text),
      ['live'],
    )
    const expected =
      /\[SETTINGS_INVALID\] t\.ts: step "deaf" does not follow what is published\. Write .*modelMetadata: true/
    assert.throws(() => followedSlots(both, 'deaf', 't.ts'), expected)
    assert.throws(() => followedSlots(topology('deaf', [deaf]), undefined, 't.ts'), expected)
    const none = topology('none', [source.to('out', json())])
    assert.throws(() => followedSlots(none, undefined, 't.ts'), /t\.ts: the topology has no step/)
  })

  test('any key of a mapping means it, as text or as JSON', () => {
    assert.equal(chosen({ step: 'by-key', key: 'at' }), 'by-key/"de"')
    assert.equal(chosen({ step: 'by-key', key: '"at"' }), 'by-key/"de"')
    assert.equal(chosen({ step: 'by-key', key: '7' }), 'by-key/"7"')
    assert.equal(chosen({ step: 'by-number', key: '8' }), 'by-number/7')
    assert.equal(chosen({ step: 'by-number', key: '-0.5' }), 'by-number/-0.5')
  })

  test('a key that is none, that is missing or that the step has no use for is refused, with what there is', () => {
    assert.throws(
      () => chosen({ step: 'by-key', key: 'dee' }),
      /--key: .*one of de, at, 7, .*got "dee"\. Did you mean de\?/,
    )
    assert.throws(() => chosen({ step: 'by-key' }), /--key: .*expected one of de, at, 7, the keys of step "by-key"/)
    assert.throws(
      () => chosen({ step: 'score', key: 'de' }),
      /--key: .*nothing: step "score" has one model for all keys/,
    )
    assert.throws(() => chosen({ step: 'by-number', key: '"8"' }), /--key/)
  })

  test('without a key all of a step are meant, without a step all of them', () => {
    const texts = (flags: { step?: string; key?: string }) =>
      chosenSlots(several, flags, 't.ts').map(({ text }) => text)
    assert.equal(texts({}).length, 5)
    assert.deepEqual(texts({ step: 'by-key' }), ['by-key/"de"', 'by-key/"7"'])
    assert.deepEqual(texts({ step: 'by-key', key: '7' }), ['by-key/"7"'])
  })
})
