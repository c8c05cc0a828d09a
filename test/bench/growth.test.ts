import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthPerSecond, sampleUntil } from '../../bench/growth.ts'

test('growth counts from the first records to the last, not the time before and after', () => {
  const samples = [
    { atMs: 0, count: 0 },
    { atMs: 5_000, count: 100 },
    { atMs: 5_500, count: 300 },
    { atMs: 6_000, count: 1_100 },
    { atMs: 9_000, count: 1_100 },
  ]
  assert.equal(growthPerSecond(samples), 1_000)
})

test('growth between two looks is refused instead of being called endless', () => {
  assert.throws(() => growthPerSecond([{ atMs: 0, count: 0 }]), /too few/)
  const jump = [
    { atMs: 0, count: 0 },
    { atMs: 20, count: 500 },
  ]
  assert.throws(() => growthPerSecond(jump), /too few/)
})

test('what is there at the end is counted, however soon it comes', async () => {
  const samples = await sampleUntil(Promise.resolve(), async () => 7)
  assert.deepEqual(
    samples.map(({ count }) => count),
    [7],
  )
})

test('a run that fails ends the counting with its reason', async () => {
  await assert.rejects(
    sampleUntil(Promise.reject(new Error('exit code 1')), async () => 0),
    /exit code 1/,
  )
})
