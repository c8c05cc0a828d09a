// The shipped topologies that run two models, on real images: against what Python says of each model alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digit, DigitPrediction } from '../../schemas/types.ts'
import type { OutputRecord, TopologyDriver } from '../../src/testing/index.ts'
import abTest from '../../topologies/ab-test.ts'
import cascade from '../../topologies/cascade.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { readNdjson } from '../support/model-specs.ts'
import { onDriver } from '../support/on-driver.ts'

interface Expected {
  readonly id: string
  readonly label: number
  readonly probabilities: readonly number[]
}
const images = (await readNdjson('data/digits-test.ndjson')) as unknown as readonly Digit[]
const [v1, v2] = await Promise.all(
  ['v1', 'v2'].map(async version => {
    const lines = (await readNdjson(`data/digits-mlp-${version}.expected.ndjson`)) as unknown as readonly Expected[]
    return new Map(lines.map(line => [line.id, line]))
  }),
)
const PARTITIONS = 3
const modelOf = (prediction: DigitPrediction) => /mlp-(v[12])\.onnx/.exec(prediction.modelId)![1]!

async function predicted(driver: TopologyDriver, topic: string): Promise<readonly DigitPrediction[]> {
  await driver.pipe(
    'digits.images',
    images.map(({ id, pixels }, i) => ({ key: id, value: { id, pixels }, partition: i % PARTITIONS })),
  )
  await driver.advance(2_000)
  return (await driver.read(topic)).map(({ value }: OutputRecord) => value as DigitPrediction)
}

/** Label and probabilities are those of the model that the prediction names. */
function assertRight(prediction: DigitPrediction): void {
  const { label, probabilities } = (modelOf(prediction) === 'v1' ? v1 : v2)!.get(prediction.id)!
  assert.equal(prediction.label, label)
  const differences = [...prediction.probabilities].map((p, i) => Math.abs(p - probabilities[i]!))
  assert.ok(Math.max(...differences) <= 1e-6, prediction.id)
}

describe('the cascade', () => {
  it('v1 answers what it is sure of, v2 the rest: every image once, in source order, by the right model', async () => {
    const metrics = countingMetrics()
    await onDriver(
      cascade.build({}),
      async driver => {
        const found = await predicted(driver, 'digits.cascade')
        assert.equal(found.length, images.length)
        for (const prediction of found) {
          assertRight(prediction)
          const isSure = Math.max(...v1!.get(prediction.id)!.probabilities) * 100 >= 80
          assert.equal(modelOf(prediction), isSure ? 'v1' : 'v2', prediction.id)
        }
        const byModel = Map.groupBy(found, modelOf)
        assert.ok(byModel.get('v1')!.length > 0 && byModel.get('v2')!.length > 0)
        const inOrder = Array.from({ length: PARTITIONS }, (_, partition) =>
          images.filter((_, i) => i % PARTITIONS === partition).map(({ id }) => id),
        ).flat()
        assert.deepEqual(
          found.map(({ id }) => id),
          inOrder,
        )
        assert.deepEqual(metrics.drops, {})
      },
      { partitions: PARTITIONS, metrics },
    )
  })

  it('its threshold is a parameter: 0 asks v2 about nothing, 101 about everything', async () => {
    for (const [threshold, model] of [
      ['0', 'v1'],
      ['101', 'v2'],
    ] as const) {
      await onDriver(
        cascade.build({ threshold }),
        async driver => {
          const found = await predicted(driver, 'digits.cascade')
          assert.deepEqual([...new Set(found.map(modelOf))], [model])
        },
        { partitions: PARTITIONS },
      )
    }
  })

  it('dead letters name their step', async () => {
    await onDriver(cascade.build({ threshold: '101' }), async driver => {
      const short = { id: 'short', pixels: [1, 2, 3] }
      await driver.pipe('digits.images', [{ key: 'short', value: short }])
      await driver.advance(1_000)
      const [letter] = await driver.read('cascade.small.failed-inference')
      assert.equal(letter!.headers['kri-step'], 'small')
    })
  })
})

describe('the A/B test', () => {
  it('both models on every image, model a first', async () => {
    await onDriver(
      abTest.build({}),
      async driver => {
        const found = await predicted(driver, 'digits.ab-test')
        assert.equal(found.length, 2 * images.length)
        found.forEach((prediction, i) => {
          assertRight(prediction)
          assert.equal(modelOf(prediction), i % 2 === 0 ? 'v1' : 'v2')
          assert.equal(prediction.id, found[i - (i % 2)]!.id)
        })
      },
      { partitions: PARTITIONS },
    )
  })

  it('a split by key: each image once, the same way every time, about as many as were asked for', async () => {
    const ways: Map<string, string>[] = []
    for (const partitions of [PARTITIONS, PARTITIONS]) {
      await onDriver(
        abTest.build({ split: '30' }),
        async driver => {
          const found = await predicted(driver, 'digits.ab-test')
          assert.equal(found.length, images.length)
          for (const prediction of found) assertRight(prediction)
          ways.push(new Map(found.map(prediction => [prediction.id, modelOf(prediction)])))
        },
        { partitions },
      )
    }
    assert.deepEqual(ways[0], ways[1])
    const share = [...ways[0]!.values()].filter(model => model === 'v2').length / images.length
    assert.ok(Math.abs(share - 0.3) < 0.08, `${share}`)
  })
})
