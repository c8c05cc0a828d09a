// How many test files run side by side, by what the machine has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lanesOf } from '../../scripts/test-lanes.ts'

const GIB = 2 ** 30
const lanes = (cores: number, gib: number, wanted?: number) => {
  const { all, withClusters } = lanesOf(cores, gib * GIB, wanted)
  return [all, withClusters]
}

test('one more than there are cores, at least two and at most eight', () => {
  assert.deepEqual(lanes(1, 64), [2, 1])
  assert.deepEqual(lanes(2, 64), [3, 2])
  assert.deepEqual(lanes(4, 64), [5, 2])
  assert.deepEqual(lanes(16, 64), [8, 2])
})

test('fewer where the memory does not suffice, and clusters of their own one at a time', () => {
  assert.deepEqual(lanes(2, 2), [2, 1])
  assert.deepEqual(lanes(2, 6), [3, 1])
  assert.deepEqual(lanes(2, 8), [3, 2])
  assert.deepEqual(lanes(8, 8), [5, 1])
})

test('as many as are wanted', () => {
  assert.deepEqual(lanes(2, 64, 1), [1, 1])
  assert.deepEqual(lanes(16, 64, 12), [12, 2])
})
