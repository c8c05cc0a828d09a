import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SPARE_STAYS_MS } from '../../src/models/model-swaps.ts'
import type { ChangingModels } from '../../src/models/prepared-model.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { answers, asked, askTopology, type KeyedModels, keyedModels } from '../support/keyed-models.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const [A, B] = [0, 1]

interface Course {
  readonly driver: TopologyDriver
  readonly models: ChangingModels
  readonly keyed: KeyedModels
  change(cohort: number, modelId: string): Promise<void>
  /** Models in lanes now: `name lanes`. */
  held(): string[]
}

async function running(lanes: number, course: (parts: Course) => Promise<void>): Promise<void> {
  const keyed = keyedModels({ a: ['k1', 'k3'], b: ['k2'] })
  let models: ChangingModels | undefined
  await onDriver(
    askTopology(keyed),
    driver =>
      course({
        ...{ driver, keyed, models: models! },
        async change(cohort, modelId) {
          const spec = { ...models!.specOf(cohort % keyed.mappings.length)!, uri: modelId, identifier: modelId }
          const prepared = await models!.prepare(cohort, spec, { inputs: [], outputs: [] }, { timeoutMs: 1_000 })
          prepared.serve()
        },
        held: () => driver.running.health().models.map(({ modelId, lanes: count }) => `${modelId} ${count}`),
      }),
    {
      lanes,
      onModelsOpened: steps => {
        models = steps.get('ask')!.models
      },
    },
  )
}

describe('models of keys that are replaced', () => {
  it('W3: one that is in use is served by its spare lane at once, and loaded by a lane of the step for its next rows; others are left alone', () =>
    running(1, async ({ driver, keyed, change, held }) => {
      await feed(driver, asked('k1=1', 'k2=2'))
      await change(A, 'a2')
      assert.deepEqual(held(), ['b 1', 'a2 1'])
      assert.deepEqual(keyed.unloads, ['a'], 'nothing ran on it')
      assert.deepEqual(keyed.loads, ['a', 'b', 'a2'])
      await feed(driver, asked('k1=3', 'k2=4', 'k3=5'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2', 'k1=a2:3', 'k2=b:4', 'k3=a2:5'])
      await feed(driver, asked('k1=6'))
      assert.deepEqual(keyed.loads, ['a', 'b', 'a2', 'a2'], 'the lane of the step has it now')
      assert.deepEqual(keyed.unloads, ['a', 'a2'], 'and the spare lane is gone')
      assert.deepEqual(held(), ['b 1', 'a2 1'])
      assert.equal((await answers(driver)).at(-1), 'k1=a2:6')
    }))

  it('W3: one that was not in use is proven, and loaded when its rows come, the first ones too (Q5)', () =>
    running(1, async ({ driver, keyed, change, held }) => {
      await change(A, 'a2')
      assert.deepEqual([held(), keyed.loads, keyed.unloads], [[], ['a2'], ['a2']])
      await feed(driver, asked('k1=1', 'k2=2'))
      assert.deepEqual(await answers(driver), ['k1=a2:1', 'k2=b:2'])
      assert.deepEqual(keyed.loads.slice(1).toSorted(), ['a2', 'b'], 'the handler’s own was never loaded')
    }))

  it('W3: a spare lane whose model nobody asks for ends after a while; the model is loaded again for rows', () =>
    running(2, async ({ driver, keyed, change, held }) => {
      await feed(driver, asked('k1=1'))
      await change(A, 'a2')
      await driver.advance(SPARE_STAYS_MS - 1)
      assert.deepEqual(held(), ['a2 1'])
      await driver.advance(1)
      assert.deepEqual(held(), [])
      await feed(driver, asked('k1=2'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k1=a2:2'])
      assert.deepEqual(keyed.loads, ['a', 'a2', 'a2'])
    }))

  it('W3: there are no more spare lanes than lanes', () =>
    running(1, async ({ driver, change, held }) => {
      await feed(driver, asked('k1=1', 'k2=2'))
      await change(A, 'a2')
      await change(B, 'b2')
      assert.deepEqual(held(), ['b2 1'])
      await feed(driver, asked('k1=3', 'k2=4'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2', 'k1=a2:3', 'k2=b2:4'])
    }))

  it('a model that no lane could load is tried anew when another one takes its place', () =>
    running(1, async ({ driver, keyed, change }) => {
      keyed.broken.add('a')
      await feed(driver, asked('k1=1'))
      await change(A, 'a2')
      await feed(driver, asked('k1=2'))
      assert.deepEqual(await answers(driver), ['k1=a2:2'])
      assert.equal(driver.failures.length, 1)
    }))

  it('a bad one changes nothing', () =>
    running(1, async ({ driver, keyed, change }) => {
      keyed.broken.add('a2')
      await feed(driver, asked('k1=1'))
      await assert.rejects(change(A, 'a2'), /MODEL_UNUSABLE.*no weights for a2/)
      await feed(driver, asked('k1=2'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k1=a:2'])
    }))

  it('W4: a candidate is promoted, and what it leaves behind is one model in one lane', () =>
    running(1, async ({ driver, models, change, held }) => {
      await feed(driver, asked('k1=1'))
      await change(A + 2, 'a2')
      assert.deepEqual([held(), models.hasCandidate(A), models.hasCandidate(B)], [['a 1', 'a2 1'], true, false])
      models.promote(A)
      assert.deepEqual(held(), ['a2 1'])
      await feed(driver, asked('k1=2'))
      await driver.advance(1_000)
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k1=a2:2'])
      assert.deepEqual(held(), ['a2 1'])
      await change(B + 2, 'b2')
      models.dropCandidate(B)
      assert.deepEqual(held(), ['a2 1'])
    }))
})
