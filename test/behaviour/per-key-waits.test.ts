/** Batches that are held for more rows, where each key has a model. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answers, asked, askTopology, keyedModels } from '../support/keyed-models.ts'
import { feed, onDriver } from '../support/on-driver.ts'

describe('a batch that is held, of a model that works', () => {
  it('B4: leaves when its time has come, also while rows wait for a model that is out, or for its next try', async () => {
    for (const trouble of ['out', 'busy'] as const) {
      const models = keyedModels({ a: ['k1'], b: ['k2'] })
      const batch = { minSize: 2, maxSize: 4, maxWaitMs: 1_000 }
      const retry = { firstDelayMs: 100, maxDelayMs: 20_000, maxRetries: 20 }
      await onDriver(askTopology(models, {}, { batch, retry }), async driver => {
        await feed(driver, asked('k1=8', 'k1=9', 'k2=8', 'k2=9'))
        models[trouble].add('a')
        await feed(driver, asked('k1=1'))
        await driver.advance(25_000)
        for (const example of [1, 2, 3]) {
          await driver.pipe('in', asked(`k2=${example}`))
          await driver.advance(1_001)
          assert.ok(models.calls.includes(`b: ${example}`), trouble)
        }
        models[trouble].delete('a')
        await driver.advance(60_000)
        assert.equal((await answers(driver)).length, 8)
      })
    }
  })
})
