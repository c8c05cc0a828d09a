import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type KV, keyed, kv } from 'kafka-run-inference'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { answers, asked, askTopology, type KeyedModels, keyedModels } from '../support/keyed-models.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const twoModels = () => keyedModels({ a: ['k1', 'k3'], b: ['k2'] })
const ONE_BY_ONE = { batch: { maxSize: 1 } }

/** `key code: message` of each dead letter of a stage. */
async function letters(driver: TopologyDriver, stage = 'inference'): Promise<string[]> {
  const records = await driver.read(`t.ask.failed-${stage}`)
  return records.map(({ key, headers }) => `${String(key)} ${headers['kri-code']}: ${headers['kri-error-message']}`)
}

describe('a model for each key', () => {
  it('has one call per model and batch, for all its keys; results leave in the order of their records', async () => {
    const models = twoModels()
    await onDriver(askTopology(models), async driver => {
      await feed(driver, asked('k1=1', 'k2=2', 'k3=3', 'k2=4', 'k1=5'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2', 'k3=a:3', 'k2=b:4', 'k1=a:5'])
      assert.deepEqual(models.calls, ['a: 1 3 5', 'b: 2 4'])
    })
  })

  it('is loaded when its first record comes, once, and never when none does', async () => {
    const models = twoModels()
    await onDriver(askTopology(models), async driver => {
      assert.deepEqual(models.loads, [])
      assert.deepEqual(driver.running.health().models, [])
      await feed(driver, asked('k2=1'))
      await feed(driver, asked('k2=2', 'k2=3'))
      assert.deepEqual(models.loads, ['b'])
      assert.deepEqual(
        driver.running.health().models.map(({ modelId, lanes }) => [modelId, lanes]),
        [['b', 1]],
      )
    })
  })

  it('gives way to others when a lane may hold fewer: it is loaded again for its next record', async () => {
    const models = twoModels()
    await onDriver(askTopology(models, { maxModelsPerWorker: 1 }), async driver => {
      for (const text of ['k1=1', 'k2=2', 'k1=3', 'k2=4', 'k2=5']) await feed(driver, asked(text))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2', 'k1=a:3', 'k2=b:4', 'k2=b:5'])
      assert.deepEqual(models.loads, ['a', 'b', 'a', 'b'])
      assert.deepEqual(models.unloads, ['a', 'b', 'a'])
    })
  })

  it('serves what waits for the models that a full lane holds first, so that they are not loaded for every record', async () => {
    const models = twoModels()
    await onDriver(askTopology(models, { maxModelsPerWorker: 1 }, ONE_BY_ONE), async driver => {
      await feed(driver, asked('k1=1', 'k2=2', 'k1=3', 'k2=4', 'k1=5', 'k2=6'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2', 'k1=a:3', 'k2=b:4', 'k1=a:5', 'k2=b:6'])
      assert.deepEqual(models.loads, ['a', 'b'])
    })
  })

  it('tells loads, evictions and what lanes hold', async () => {
    const told: string[] = []
    const metrics = {
      ...nullMetrics,
      modelLoaded: (step: string, cohort: number) => void told.push(`${step} loaded ${cohort}`),
      modelEvicted: (step: string, cohort: number) => void told.push(`${step} evicted ${cohort}`),
      modelsResident: (_step: string, lane: number, count: number) => void told.push(`lane ${lane} holds ${count}`),
    }
    await onDriver(
      askTopology(twoModels(), { maxModelsPerWorker: 1 }),
      async driver => {
        for (const text of ['k1=1', 'k2=2']) await feed(driver, asked(text))
        const loads = [
          'ask loaded 0',
          'lane 0 holds 1',
          'ask evicted 0',
          'lane 0 holds 0',
          'ask loaded 1',
          'lane 0 holds 1',
        ]
        assert.deepEqual(told, loads)
      },
      { metrics },
    )
  })

  it('lanes share the work: rows go to the idle lane that holds their model', async () => {
    const models = twoModels()
    await onDriver(
      askTopology(models, { maxModelsPerWorker: 1 }),
      async driver => {
        for (let i = 1; i < 10; i++) await feed(driver, asked(`k1=${i}`, `k2=${i}`))
        assert.deepEqual(models.loads.toSorted(), ['a', 'b'], 'each lane keeps one of them')
        assert.equal((await answers(driver)).length, 18)
      },
      { lanes: 2 },
    )
  })
})

describe('where one key is in trouble', () => {
  it('an unknown key is a dead letter of that record alone', async () => {
    await onDriver(askTopology(twoModels()), async driver => {
      await feed(driver, asked('k1=1', 'zz=2', 'k2=3', 'k1=4'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:3', 'k1=a:4'])
      assert.match((await letters(driver)).join(), /^zz KEY_UNKNOWN: .*no mapping .* has the key string zz/)
    })
  })

  it('a bad row harms neither its own model’s rows nor those of others', async () => {
    await onDriver(askTopology(twoModels()), async driver => {
      await feed(driver, asked('k1=1', 'k2=13', 'k1=3', 'k2=4'))
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k1=a:3', 'k2=b:4'])
      const [letter] = await driver.read('t.ask.failed-inference')
      assert.deepEqual([letter!.headers['kri-code'], letter!.headers['kri-model-id']], ['INFERENCE_FAILED', 'b'])
    })
  })

  for (const limits of [{}, { maxModelsPerWorker: 1 }]) {
    it(`a model that cannot be loaded makes dead letters of its own rows, with ${JSON.stringify(limits)} (Q4)`, async () => {
      const models = twoModels()
      models.broken.add('a')
      await onDriver(askTopology(models, limits, ONE_BY_ONE), async driver => {
        await feed(driver, asked('k1=1', 'k2=2', 'k1=3', 'k2=4'))
        await feed(driver, asked('k3=5', 'k2=6'))
        assert.deepEqual(await answers(driver), ['k2=b:2', 'k2=b:4', 'k2=b:6'])
        const failed = await letters(driver)
        assert.deepEqual(
          failed.map(each => each.slice(0, 20)),
          ['k1 MODEL_LOAD_FAILED', 'k1 MODEL_LOAD_FAILED', 'k3 MODEL_LOAD_FAILED'],
        )
        assert.match(failed[0]!, /model a of keys k1 and 1 more in step ask cannot be loaded, .*no weights for a/)
        assert.deepEqual(models.loads, ['a', 'b'], 'the failure is remembered')
      })
    })
  }

  it('a model that could not be loaded is tried again after ten seconds', async () => {
    const models = twoModels()
    models.broken.add('a')
    await onDriver(askTopology(models), async driver => {
      await feed(driver, asked('k1=1'))
      models.broken.clear()
      await driver.advance(8_000)
      await feed(driver, asked('k1=2'))
      assert.deepEqual(await answers(driver), [])
      await driver.advance(1_000)
      await feed(driver, asked('k1=3'))
      assert.deepEqual(await answers(driver), ['k1=a:3'])
      assert.equal((await letters(driver)).length, 2)
    })
  })

  it('a model that is out rests alone: its rows wait, other keys go on, and no breaker opens', async () => {
    const models = twoModels()
    const states: string[] = []
    const metrics = { ...nullMetrics, breakerState: (_step: string, state: string) => void states.push(state) }
    await onDriver(
      askTopology(models),
      async driver => {
        await feed(driver, asked('k1=9'))
        models.out.add('a')
        for (let i = 1; i < 9; i++) await feed(driver, asked(`k2=${i}`, `k1=${i}`))
        const calls = models.calls.filter(call => call.startsWith('b'))
        assert.equal(calls.length, 8, 'b has served each batch at once')
        assert.match(Object.keys(driver.running.health().problems).join(), /model a of keys k1 and 1 more in step ask/)
        assert.deepEqual([states, await letters(driver)], [[], []])
        models.out.clear()
        await driver.advance(6_000)
        assert.equal((await answers(driver)).length, 17)
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })
})

describe('a batch that is to be tried again', () => {
  it('waits for its model to be loaded again, when that had to leave; others go on meanwhile', async () => {
    const models = twoModels()
    models.busy.add('a')
    await onDriver(askTopology(models, { maxModelsPerWorker: 1 }), async driver => {
      await driver.pipe('in', asked('k1=1'))
      await driver.pipe('in', asked('k2=2'))
      assert.deepEqual(await answers(driver), [], 'of one partition, in order')
      assert.deepEqual(
        [models.loads, models.calls],
        [
          ['a', 'b'],
          ['a: 1', 'b: 2'],
        ],
      )
      models.busy.clear()
      await driver.advance(1_000)
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k2=b:2'])
      assert.deepEqual(models.loads, ['a', 'b', 'a'])
    })
  })

  it('is a dead letter when its model can no longer be loaded', async () => {
    const models = twoModels()
    models.busy.add('a')
    await onDriver(askTopology(models, { maxModelsPerWorker: 1 }), async driver => {
      await driver.pipe('in', asked('k1=1'))
      models.broken.add('a')
      await driver.pipe('in', asked('k2=2'))
      await driver.advance(1_000)
      assert.deepEqual(await answers(driver), ['k2=b:2'])
      assert.match((await letters(driver)).join(), /^k1 MODEL_LOAD_FAILED/)
    })
  })
})

describe('functions around a model for each key', () => {
  it('see key and value, before and behind it (Beam’s do not work, Q2)', async () => {
    const { mappings } = twoModels()
    const handler = keyed(mappings)
      .withPreprocess(({ key, value }: KV<string, number>) => kv(key, value + 100))
      .withPostprocess(({ key, value }: KV<string, string>) => kv(key, `${value} for ${key}`))
    await onDriver(askTopology({ handler }), async driver => {
      await feed(driver, asked('k1=1', 'k2=2'))
      assert.deepEqual(await answers(driver), ['k1=a:101 for k1', 'k2=b:102 for k2'])
    })
  })

  it('decide by the key that they give, as keyBy does', async () => {
    const { mappings } = twoModels()
    const handler = keyed(mappings)
      .withPreprocess(({ value }: KV<string, number>) => kv(value > 5 ? 'k2' : 'k1', value))
      .withPostprocess(({ value }: KV<string, string>) => kv('any', value))
    await onDriver(askTopology({ handler }), async driver => {
      await feed(driver, asked('any=1', 'any=9'))
      assert.deepEqual(await answers(driver), ['any=a:1', 'any=b:9'])
    })
  })
})

describe('two steps with models for keys', () => {
  it('each count their own; a limit of one does not reach the other', async () => {
    const [first, second] = [twoModels(), keyedModels({ c: ['k1'], d: ['k2'] })] as [KeyedModels, KeyedModels]
    await onDriver(askTopology(first, { maxModelsPerWorker: 1 }, {}, second), async driver => {
      for (const text of ['k1=1', 'k2=2', 'k1=3']) await feed(driver, asked(text))
      assert.deepEqual(
        [first.loads, second.loads],
        [
          ['a', 'b', 'a'],
          ['c', 'd'],
        ],
      )
      assert.deepEqual(await answers(driver), ['k1=a:1', 'k1=c:1', 'k2=b:2', 'k2=d:2', 'k1=a:3', 'k1=c:3'])
    })
  })
})
