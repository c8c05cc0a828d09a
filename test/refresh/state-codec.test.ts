import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { encodeStepModels, parseStepModels } from '../../src/refresh/state-codec.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { anyState } from '../support/step-model-arbitraries.ts'

const WHERE = 'app.model-metadata/0/7'
const SHA = 'ab'.repeat(32)
const state: StepModels = {
  revision: 3,
  stable: { modelId: 'v2', modelName: 'digits', sha256: SHA, sizeBytes: 10 },
  previous: [{ modelId: '', modelName: '' }],
  candidate: {
    model: { modelId: 'v3', modelName: 'digits' },
    mode: 'canary',
    percent: 10,
    salt: 's',
    abortIf: { failureFactor: 2, latencyFactor: 1.5, minRecords: 100 },
  },
  publishedBy: 'ann',
  publishedAt: '2026-01-02T03:04:05Z',
}

/** Field, what was expected and what was got, for all that is wrong with a value. */
function problems(value: unknown): (string | undefined)[][] {
  try {
    parseStepModels(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), WHERE)
  } catch (error) {
    assert.ok(error instanceof RunInferenceError)
    assert.equal(error.code, 'METADATA_INVALID')
    return error.problems.map(({ where, what, expected, got, remedy }) => {
      assert.equal(where, WHERE)
      assert.match(remedy, /Publish the model anew/)
      return [what, expected, got]
    })
  }
  return []
}

/** The state with one field set, or taken away. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(state) as never
  const parent = path.slice(0, -1).reduce<Record<string, unknown>>((at, name) => at[name] as never, copy)
  if (value === undefined) delete parent[path.at(-1)!]
  else parent[path.at(-1)!] = value
  return copy
}

describe('the value of a state', () => {
  it('is read as it was written', () => {
    fc.assert(fc.property(anyState(), each => assert.deepEqual(parseStepModels(encodeStepModels(each), WHERE), each)))
  })

  it('is plain JSON, and what is not known of it is left out', () => {
    assert.deepEqual(JSON.parse(encodeStepModels(state).toString()), state)
    const more = { ...state, future: 1, stable: { ...state.stable, future: { a: 1 } } }
    assert.deepEqual(parseStepModels(Buffer.from(JSON.stringify(more)), WHERE), state)
  })

  for (const [path, wrong, expected] of [
    [['revision'], [undefined, 0, 1.5, '1', 1e300], 'a whole number from 1'],
    [['stable'], [undefined, null, 'v2', []], 'an object'],
    [['stable', 'modelId'], [undefined, null, 7, '\ud800'], 'a text'],
    [['stable', 'modelName'], [undefined], 'a text'],
    [['stable', 'sha256'], [SHA.toUpperCase(), 'ab', `${SHA}\n`, null], '64 lower-case hex digits'],
    [['stable', 'sizeBytes'], [-1, 0.5, '10'], 'a whole number from 0'],
    [['previous'], [undefined, {}, Array(6).fill(state.stable)], 'a list of at most 5'],
    [['previous', 0, 'modelId'], [undefined], 'a text'],
    [['candidate'], [null, true], 'an object'],
    [['candidate', 'model'], [undefined], 'an object'],
    [['candidate', 'mode'], [undefined, 'both'], '"canary" or "shadow"'],
    [['candidate', 'percent'], [undefined, 0, 0.009, 100.01, '10'], 'a number from 0.01 to 100'],
    [['candidate', 'salt'], [undefined, 1], 'a text'],
    [['candidate', 'abortIf'], [false], 'an object'],
    [['candidate', 'abortIf', 'failureFactor'], [undefined, 0, -1], 'a number above 0'],
    [['candidate', 'abortIf', 'latencyFactor'], [undefined, 'x'], 'a number above 0'],
    [['candidate', 'abortIf', 'minRecords'], [undefined, 0, 1.5], 'a whole number from 1'],
    [['publishedBy'], [undefined], 'a text'],
    [['publishedAt'], [undefined, 'yesterday', '2026-13-01T00:00:00Z', 5], 'a time as ISO 8601'],
    [['reason'], [null, 5], 'a text'],
  ] as const) {
    const name = path
      .reduce<string>((at, part) => (typeof part === 'number' ? `${at}[${part}]` : `${at}.${part}`), '')
      .slice(1)
    it(`is refused where ${name} is wrong, which names it`, () => {
      for (const value of wrong) {
        const found = problems(changed(path, value))
        assert.deepEqual(
          found.map(([what, want]) => [what, want]),
          [[`field ${name} is wrong`, expected]],
          JSON.stringify(value),
        )
      }
    })
  }

  it('is refused with all that is wrong at once', () => {
    assert.deepEqual(
      problems({ stable: { modelId: 5 }, previous: 'x', publishedBy: 'ann', publishedAt: '2026-01-02T03:04:05Z' }),
      [
        ['field revision is wrong', 'a whole number from 1', 'undefined'],
        ['field stable.modelId is wrong', 'a text', '5'],
        ['field stable.modelName is wrong', 'a text', 'undefined'],
        ['field previous is wrong', 'a list of at most 5', '"x"'],
      ],
    )
  })

  it('is refused where it is no JSON, no object, no UTF-8', () => {
    assert.match(String(problems('{"revision"')), /the value is not JSON,the state of a step,.*JSON at position/)
    assert.deepEqual(problems('[]'), [['the value is no state of a step', 'an object', '[]']])
    assert.throws(
      () => parseStepModels(Buffer.of(0x22, 0xff, 0x22), WHERE),
      /\[METADATA_INVALID\].*\n.*bytes that are not UTF-8/,
    )
    assert.throws(() => parseStepModels(Buffer.alloc(0), WHERE), /\[METADATA_INVALID\]/)
  })

  it('has one zero: a size of -0 is 0 (found by fuzzing model-metadata)', () => {
    const read = parseStepModels(Buffer.from(JSON.stringify(state).replace('"sizeBytes":10', '"sizeBytes":-0')), WHERE)
    assert.equal(read.stable.sizeBytes, 0)
    assert.deepEqual(parseStepModels(encodeStepModels(read), WHERE), read)
  })

  it('is never written where it could not be read', () => {
    const wrong = { ...state, revision: 0 }
    assert.throws(
      () => encodeStepModels(wrong),
      /\[METADATA_INVALID\].*\n.*the state to be published: field revision is wrong/,
    )
  })
})
