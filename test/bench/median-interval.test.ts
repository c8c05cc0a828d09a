import assert from 'node:assert/strict'
import { test } from 'node:test'
import { medianInterval } from '../../bench/figures.ts'

const upTo = (n: number) => Array.from({ length: n }, (_, i) => n - i)

test('the interval of a median leaves out what a fair coin would seldom leave out', () => {
  // 2 × P(at most k - 1 heads of n) is at most 5 %: tables of the sign test.
  assert.deepEqual(medianInterval(upTo(6)), [1, 6])
  assert.deepEqual(medianInterval(upTo(10)), [2, 9])
  assert.deepEqual(medianInterval(upTo(20)), [6, 15])
})

test('of few values it is their range', () => {
  assert.deepEqual(medianInterval([3, 1, 2]), [1, 3])
  assert.deepEqual(medianInterval([7]), [7, 7])
})
