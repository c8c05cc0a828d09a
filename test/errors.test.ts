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

  it('says class and stack of what was thrown, of no more text than can be carried', () => {
    const get = () => assert.fail('looked at')
    const trapped = Object.defineProperties(new Error('trapped'), { name: { get }, stack: { get } })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const [thrown, type] of [
      [trapped, 'Error'],
      [proxy, 'Object'],
      ['text', 'string'],
    ] as const) {
      const wrapped = RunInferenceError.wrap(thrown, 'FUNCTION_THREW')
      assert.equal(wrapped.errorType, type)
      assert.equal(wrapped.thrownStack, wrapped.stack)
    }
    const huge = RunInferenceError.wrap(new RangeError('x'.repeat(1e6)), 'FUNCTION_THREW')
    assert.equal(huge.errorType, 'RangeError')
    assert.match(huge.thrownStack, /^RangeError: x+…$/)
    for (const text of [huge.message, huge.stack!, huge.thrownStack]) assert.ok(text.length < 20_000)
    const ours = new RunInferenceError('DECODE_MALFORMED', 'no JSON', { cause: new SyntaxError('x') })
    assert.equal(ours.errorType, 'SyntaxError')
    assert.match(ours.thrownStack, /^SyntaxError: x/)
  })

  it('says which classes it is of, its own first, whatever was thrown', () => {
    class Busy extends RangeError {}
    const named = Object.assign(new Error('x'), { name: 'AbortError' })
    const hostile = new Proxy({}, { getPrototypeOf: () => assert.fail('looked at') })
    const typesOf = (thrown: unknown) => RunInferenceError.wrap(thrown, 'FUNCTION_THREW').errorTypes
    assert.deepEqual(typesOf(new Busy('x')), ['Busy', 'RangeError', 'Error'])
    assert.deepEqual(typesOf(named), ['AbortError', 'Error'])
    assert.deepEqual(
      ['text', 5n, undefined, null, {}, Object.create(null), hostile].map(each => typesOf(each)[0]),
      ['string', 'bigint', 'undefined', 'null', 'Object', 'Object', 'Object'],
    )
    const transient = RunInferenceError.wrap(new Busy('x'), 'MODEL_TRANSIENT')
    assert.deepEqual(typesOf(transient), transient.errorTypes)
    assert.deepEqual(new RunInferenceError('BUG', 'ours').errorTypes, [])
  })
})
