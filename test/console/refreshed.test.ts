// Looks that are taken again: one at a time, and no page waits for one that takes long.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { refreshed } from '../../src/console/refreshed.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const { signal } = new AbortController()
const unexpected = (error: unknown) => assert.fail(String(error))

it('who has patience for half a second has what was seen before while a look hangs, and no second look begins', async () => {
  const clock = createManualClock()
  let looks = 0
  const hangs = Promise.withResolvers<number>()
  const look = refreshed(clock, 2_000, () => (looks++ === 1 ? hangs.promise : Promise.resolve(looks)), unexpected, 500)
  assert.equal(await look(signal), 1)
  await clock.advance(2_000)
  const second = look(signal)
  await clock.advance(499)
  let isGiven = false
  void second.then(() => {
    isGiven = true
  })
  await clock.settle()
  assert.equal(isGiven, false)
  await clock.advance(1)
  assert.equal(await second, 1)
  await clock.advance(30_000)
  assert.deepEqual([await look(signal), looks], [1, 2])
  hangs.resolve(7)
  await clock.settle()
  await clock.advance(1_000)
  assert.deepEqual([await look(signal), looks], [3, 3])
})

it('where nothing was seen yet it says so, and has it when the look is done', async () => {
  const clock = createManualClock()
  const first = Promise.withResolvers<number>()
  const look = refreshed(clock, 2_000, () => first.promise, unexpected, 500)
  const asked = assert.rejects(look(signal), { code: 'BROKER_UNAVAILABLE' })
  await clock.advance(500)
  await asked
  first.resolve(5)
  await clock.settle()
  assert.equal(await look(signal), 5)
})

it('a look that fails is told once until one succeeds', async () => {
  const clock = createManualClock()
  const told: unknown[] = []
  let fails = false
  const take = async () => {
    if (fails) throw new Error('no broker answers')
    return 1
  }
  const look = refreshed(clock, 1_000, take, error => told.push(error))
  await look(signal)
  for (fails of [true, true, false, true]) {
    await clock.advance(1_000)
    assert.equal(await look(signal), 1)
  }
  assert.equal(told.length, 2)
})
