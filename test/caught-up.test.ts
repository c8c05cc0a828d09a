import assert from 'node:assert/strict'
import { test } from 'node:test'
import { from, topology, utf8 } from 'kafka-run-inference'
import { caughtUp } from '../src/caught-up.ts'

const strings = { key: utf8(), value: utf8() }
const twoParts = topology('app', [from('in', strings).through('between', strings).to('out', strings)])

/** One partition each; what is written can be read when the markers come. */
function scripted() {
  const written: Record<string, number> = { in: 5, between: 0, out: 0 }
  const stable: Record<string, number> = { ...written }
  const committed: Record<string, number> = { app: -1, 'app.between': -1 }
  const steps: (() => void)[] = []
  return {
    ...{ written, stable, committed, steps },
    run: () =>
      caughtUp(twoParts, {
        admin: {
          offsets: async (topic, end) => [{ start: 0, end: (end === 'written' ? written : stable)[topic]! }],
          committed: async group => [committed[group]!],
        },
        whenAvailable: attempt => attempt(),
        pause: async () => {
          const step = steps.shift()
          assert.ok(step, 'it waits for what does not come')
          step()
        },
        isStopping: () => false,
      }),
  }
}

test('outputs of a transaction whose offsets are committed, and which cannot be read yet, are waited for', async () => {
  const { written, stable, committed, steps, run } = scripted()
  let sawAll = false
  steps.push(
    () => {
      written.between = 6
      committed.app = 5
    },
    () => {
      stable.between = 6
    },
    () => {
      written.out = 6
      committed['app.between'] = 6
    },
    () => {
      stable.out = 6
      sawAll = true
    },
  )
  assert.equal(await run(), true)
  assert.equal(sawAll, true)
  assert.deepEqual(steps, [])
})

test('transactions that others have open in the source are not waited for', async () => {
  const { written, stable, committed, run } = scripted()
  Object.assign(written, { in: 9, between: 6, out: 6 })
  Object.assign(stable, { in: 5, between: 6, out: 6 })
  Object.assign(committed, { app: 5, 'app.between': 6 })
  assert.equal(await run(), true)
})
