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
  await clock.advance(14_999)
  assert.deepEqual([await look(signal), looks], [7, 2], 'Kafka has taken half a minute, and is left alone for a while')
  await clock.advance(1)
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
    await clock.advance(2_000)
    assert.equal(await look(signal), 1)
  }
  assert.equal(told.length, 2)
})

it('one that fails is looked at less and less often, by however many, and as before when it succeeds', async () => {
  const clock = createManualClock()
  const lookedAt: number[] = []
  let fails = true
  const take = async () => {
    lookedAt.push(clock.now() / 1_000)
    if (fails) throw new Error('no broker answers')
  }
  const look = refreshed(clock, 2_000, take, unexpected)
  const asked = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      await Promise.all([look(signal), look(signal), look(signal)].map(each => each.catch(() => {})))
      await clock.advance(1_000)
    }
  }
  await asked(60)
  assert.deepEqual(lookedAt, [0, 2, 6, 14, 29, 44, 59])
  fails = false
  lookedAt.length = 0
  await asked(20)
  assert.deepEqual(lookedAt, [74, 76, 78])
})

it('one that nobody waited for any more says nothing of Kafka: the next is taken at once', async () => {
  const clock = createManualClock()
  let looks = 0
  const take = async (of: AbortSignal) => {
    looks++
    of.throwIfAborted()
  }
  const look = refreshed(clock, 2_000, take, unexpected)
  await assert.rejects(look(AbortSignal.abort()))
  await look(signal)
  assert.equal(looks, 2)
})
