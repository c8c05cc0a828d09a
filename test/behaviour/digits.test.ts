import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { Digit, DigitPrediction } from '../../schemas/types.ts'
import { createTopologyDriver, type TopologyDriver } from '../../src/testing/index.ts'
import digits from '../../topologies/digits.ts'

const lines = async (file: string) =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

describe('the digits topology on the driver', () => {
  let driver: TopologyDriver
  let images: Digit[]
  before(async () => {
    images = await lines('data/digits-test.ndjson')
    driver = await createTopologyDriver(digits, { partitions: 4 })
  })
  after(() => driver.stop())

  it('gives every image the label and the probabilities that Python gave it', async () => {
    await driver.pipe(
      'digits.images',
      images.map(({ id, pixels }, i) => ({ key: id, value: { id, pixels }, partition: i % 4 })),
    )
    await driver.advance(1_000)
    const expected = new Map((await lines('data/digits-mlp-v1.expected.ndjson')).map(line => [line.id, line]))
    const predictions = await driver.read('digits.predictions')
    assert.equal(predictions.length, images.length)
    for (const { value, key, headers } of predictions) {
      const prediction = value as DigitPrediction
      const wanted = expected.get(prediction.id)
      assert.equal(key, prediction.id)
      assert.equal(prediction.label, wanted.label)
      const differences = prediction.probabilities.map((p, i) => Math.abs(p - wanted.probabilities[i]))
      assert.ok(Math.max(...differences) <= 1e-6)
      assert.match(headers['kri-source']!, /^digits\.images\/[0-3]\/\d+$/)
    }
  })
})
