import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { sleep } from '../../src/ops/clock.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

suite('manual clock', () => {
  test('timers fire in the order of their times, equal ones in the order in which they were set', async () => {
    const clock = createManualClock()
    const fired: string[] = []
    const set = (name: string, ms: number) => clock.after(ms, () => fired.push(`${name}@${clock.now()}`))
    set('b', 20)
    set('a', 10)
    set('c', 20)
    set('later', 31)
    const cancel = set('cancelled', 15)
    cancel()
    cancel()
    assert.equal(clock.nextTimerMs(), 10)
    await clock.advance(30)
    assert.deepEqual(fired, ['a@10', 'b@20', 'c@20'])
    assert.equal(clock.now(), 30)
    assert.equal(clock.nextTimerMs(), 1)
  })

  test('what a timer sets off runs before the next timer, and its own timers fire in the same call', async () => {
    const clock = createManualClock(1_000)
    const log: string[] = []
    const work = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        await sleep(clock, 10)
        for (let hop = 0; hop < 20; hop++) await undefined
        log.push(`${name}${i}@${clock.now()}`)
      }
    }
    void work('x')
    clock.after(10, () => log.push('timer'))
    await clock.advance(30)
    assert.deepEqual(log, ['x0@10', 'timer', 'x1@20', 'x2@30'])
    assert.equal(clock.wallTime(), 1_030)
    assert.equal(clock.nextTimerMs(), undefined)
  })

  test('calls that overlap queue up', async () => {
    const clock = createManualClock()
    await Promise.all([clock.advance(10), clock.advance(5)])
    assert.equal(clock.now(), 15)
  })
})
