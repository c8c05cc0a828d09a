import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRetriable, RunInferenceError } from '../src/errors.ts'

describe('an error', () => {
  it('keeps its code when it is one of ours, and its cause when it is not', () => {
    const ours = new RunInferenceError('LANE_LOST', 'gone')
    assert.equal(RunInferenceError.from(ours, 'BUG'), ours)
    const cause = new RangeError('too far')
    const made = RunInferenceError.from(cause, 'FUNCTION_THREW', 'here')
    assert.equal(made.message, '[FUNCTION_THREW] here: too far')
    assert.equal(made.cause, cause)
    assert.deepEqual(
      [made.stage, made.retriable, isRetriable(ours), isRetriable(cause)],
      ['preprocess', false, true, false],
    )
  })

  it('is made of anything that was thrown, also of what has no text', () => {
    const odd = Object.assign(new Error('odd'), { message: Object.create(null) })
    for (const thrown of [undefined, null, 'text', 5n, Symbol('s'), Object.create(null), odd])
      assert.match(RunInferenceError.from(thrown, 'FUNCTION_THREW').message, /^\[FUNCTION_THREW\] ./)
  })
})
