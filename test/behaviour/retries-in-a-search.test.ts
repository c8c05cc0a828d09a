// A model that is busy now and then, and bad rows: the search for these gets on, whatever the calls that it takes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { calculation, outputs, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver } from '../support/on-driver.ts'

class Busy extends Error {}
const isTransient = (error: unknown) => error instanceof Busy

/** Is busy in every call whose number `isBusy` takes, control batches included, and refuses negative numbers. */
function busyIn(isBusy: (call: number) => boolean, also = {}) {
  let calls = 0
  return timesTen(
    batch => {
      if (isBusy(calls++)) throw new Busy('later')
      if (batch.some(n => n < 0)) throw new RangeError('negative')
    },
    { isTransient, ...also },
  ).handler
}

describe('an error that trying again can mend, in a search for bad rows', () => {
  for (const every of [3, 4, 5]) {
    it(`in call ${every} of every ${every}: good rows have results, bad ones are dead letters, and it ends`, async () => {
      const handler = busyIn(call => call % every === every - 2, { controlBatch: () => [0] })
      await onDriver(calculation(handler), async driver => {
        await feed(driver, values(1, 2, -3, 4, -5, 6, 7, 8, 9))
        await driver.advance(600_000)
        assert.deepEqual(await outputs(driver), [10, 20, 40, 60, 70, 80, 90])
        assert.deepEqual(driver.failures.map(({ element }) => element).toSorted(), [-3, -5])
      })
    })
  }

  it('by chance, in a third of all calls: every row has its result or is a dead letter, once, and it ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -3, max: 30 }), { minLength: 1, maxLength: 20 }),
        fc
          .array(fc.boolean(), { minLength: 7, maxLength: 31 })
          .filter(busy => busy.filter(Boolean).length * 3 <= busy.length),
        async (numbers, busy) => {
          const handler = busyIn(call => call > 0 && busy[call % busy.length]!, { controlBatch: () => [0] })
          await onDriver(calculation(handler), async driver => {
            await feed(driver, values(...numbers))
            await driver.advance(600_000)
            const dead = driver.failures.map(({ element }) => element as number)
            const given = [...((await outputs(driver)) as number[]).map(n => n / 10), ...dead]
            assert.deepEqual(given.toSorted(), numbers.toSorted())
            assert.ok(numbers.every(n => n >= 0 || dead.includes(n)))
          })
        },
      ),
      { numRuns: 30 },
    )
  })
})
