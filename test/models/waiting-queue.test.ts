import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { type AsyncCall, AsyncCalls } from '../../src/models/async-calls.ts'
import { EntryQueue } from '../../src/models/function-lane.ts'
import { WaitingQueue } from '../../src/models/waiting-queue.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { TestJob } from '../support/function-jobs.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('a queue', () => {
  it('is first in, first out, whatever is added, taken, put back and sorted out', () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'take', 'putBack', 'keep'), count: fc.nat(1_500) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        const queue = new WaitingQueue<number>()
        let expected: number[] = []
        let last = 0
        for (const { kind, count } of steps) {
          if (kind === 'add') {
            for (let i = 0; i < count; i++) {
              queue.add(++last)
              expected.push(last)
            }
          } else if (kind === 'take') {
            const taken = Array.from({ length: count }, () => queue.take())
            const wanted = expected.splice(0, count)
            assert.deepEqual(taken.slice(0, wanted.length), wanted)
            assert.ok(taken.slice(wanted.length).every(item => item === undefined))
          } else if (kind === 'putBack') {
            const items = [++last, ++last]
            queue.putBack(items)
            expected.unshift(...items)
          } else {
            queue.keep(item => item % 3 !== 0)
            expected = expected.filter(item => item % 3 !== 0)
          }
          assert.deepEqual([queue.length, queue.first], [expected.length, expected[0]])
        }
      }),
      { numRuns: 100 },
    )
  })

  it('I5: of calls and of elements for a worker lets go what has left, also when it is never empty', async () => {
    const clock = createManualClock()
    let release = () => {}
    const fn = () =>
      new Promise<void>(resolve => {
        release = resolve
      })
    const calls = new AsyncCalls({ fn, concurrency: 1, clock, onFatal: error => assert.fail(String(error)) })
    const entries = new EntryQueue()
    const kept: WeakRef<TestJob>[] = []
    const add = (count: number) => {
      for (let i = 0; i < count; i++) {
        const [called, entered] = [new TestJob(i), new TestJob(i)]
        kept.push(new WeakRef(called), new WeakRef(entered))
        calls.push(callOf(called))
        entries.add({ side: 'preprocess', job: entered, losses: 0 })
      }
    }
    add(256)
    for (let round = 0; round < 4_000; round++) {
      add(1)
      if (round % 200 === 0) entries.take()
      release()
      for (let i = 0; i < 6; i++) await Promise.resolve()
      if (round % 200 === 0) add(200)
    }
    // What is held weakly is held until the turn ends.
    await setImmediate()
    collectGarbage()
    const left = kept.filter(each => each.deref() !== undefined).length
    const waiting = kept.length - 8_000
    assert.ok(left < waiting + 4_000, `${left} of ${kept.length} are held, and ${waiting} wait`)
    calls.close()
  })
})

function callOf(job: TestJob): AsyncCall {
  const nothing = { entering() {}, left() {}, done() {}, threw() {}, expired() {} }
  return { value: job, timeoutMs: 1_000, isLost: false, ...nothing }
}
