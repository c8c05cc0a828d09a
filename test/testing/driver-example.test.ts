// The example of docs/topologies.md.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopologyDriver } from 'kafka-run-inference/testing'
import digits from '../../topologies/digits.ts'

test('of three images two become dead letters, each where it fails', async () => {
  const driver = await createTopologyDriver(digits, { partitions: 2 })
  const image = (id: string, pixel: number) => ({ key: id, value: { id, pixels: Array(64).fill(pixel) } })
  await driver.pipe('digits.images', [image('fine', 8), image('bright', 99), image('dark', 0)])
  await driver.advance(1_000)

  const [prediction] = await driver.read('digits.predictions')
  assert.equal(prediction?.key, 'fine')
  assert.equal(prediction.headers['kri-source'], 'digits.images/0/0')
  const [bright] = await driver.read('digits.classify.failed-preprocess')
  assert.match(bright?.headers['kri-error-message'] ?? '', /pixels are 0 to 16, got 99/)
  const [dark] = await driver.read('digits.classify.failed-postprocess')
  assert.equal(dark?.key?.toString(), 'dark')
  await driver.stop()
})
