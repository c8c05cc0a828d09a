import assert from 'node:assert/strict'
import { test } from 'node:test'
import { show } from '../src/problem.ts'

test('any value can be shown in a message, so that none hides what is wrong with it', () => {
  assert.equal(show('x'), '"x"')
  assert.equal(show(5n), '5')
  assert.equal(show({ id: 5n }), '{"id":"5"}')
  const itself: Record<string, unknown> = {}
  itself.itself = itself
  assert.equal(show(itself), '[object Object]')
  const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
  assert.equal(show(deep), '[object Array]')
  assert.equal(show('x'.repeat(100)).length, 80)
})
