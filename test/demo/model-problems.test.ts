import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readDigitImages } from '../../demo/digit-images.ts'
import { BAD_MODEL, BETTER_MODEL, FIRST_MODEL } from '../../demo/digit-models.ts'
import { type ModelsOfRun, modelProblems } from '../../demo/model-problems.ts'

const images = await readDigitImages()
const FIRST = { predictions: 27_000, accuracy: 0.876 }
const BETTER = { predictions: 26_000, accuracy: 0.981 }
const bad = {
  modelId: BAD_MODEL,
  revision: 1,
  outcome: 'failed',
  reason: 'five',
  serves: FIRST_MODEL,
  seconds: 1,
} as const
const better = { ...bad, modelId: BETTER_MODEL, outcome: 'current', reason: undefined, serves: BETTER_MODEL } as const

function problems(changes: Partial<ModelsOfRun> = {}, first = FIRST, second = BETTER): readonly string[] {
  const models = new Map([
    [FIRST_MODEL, first],
    [BETTER_MODEL, second],
  ])
  return modelProblems({ images, verdict: { models }, bad, better, ...changes })
}

describe('what is wrong with the models of a run', () => {
  it('is nothing when both have predicted as well as they can, and the bad one was refused', () => {
    assert.deepEqual(problems(), [])
  })

  const faults: Record<string, [() => readonly string[], RegExp]> = {
    'a bad model that serves': [() => problems({ bad: { ...bad, outcome: 'current' } }), /5class\.onnx is current/],
    'a refusal without a reason': [() => problems({ bad: { ...bad, reason: undefined } }), /with a reason/],
    'a bad model that changes what serves': [() => problems({ bad: { ...bad, serves: BAD_MODEL } }), /5class.* serves/],
    'a better model that nobody takes up': [
      () => problems({ better: { ...better, outcome: 'late', reason: 'slow' } }),
      /v2\.onnx is late after it was published: slow/,
    ],
    'a model that has predicted nothing': [
      () => problems({ verdict: { models: new Map([[FIRST_MODEL, FIRST]]) } }),
      /v2\.onnx has predicted nothing/,
    ],
    'the accuracy of another model': [
      () => problems({}, FIRST, { ...BETTER, accuracy: 0.876 }),
      /v2\.onnx is right in 87\.6 % .* expected about 98\.1 %/,
    ],
    'an accuracy that is no number': [() => problems({}, { ...FIRST, accuracy: Number.NaN }), /v1\.onnx is right in/],
  }
  for (const [fault, [find, expected]] of Object.entries(faults)) {
    it(`is ${fault}`, () => {
      const found = find()
      assert.equal(found.length, 1)
      assert.match(found[0]!, expected)
    })
  }

  it('leaves accuracy alone where a model has had fewer images than there are', () => {
    assert.deepEqual(problems({}, { predictions: 3, accuracy: 0 }), [])
  })
})
