import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { float32, from, int64, json, type KV, keyed, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import { isInky, readDigitImages } from '../../demo/digit-images.ts'
import { FIRST_MODEL, FLAWED_MODEL } from '../../demo/digit-models.ts'
import { encodeFlawedModel } from '../../demo/make-flawed-model.ts'
import type { Digit } from '../../schemas/types.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const images = await readDigitImages()

describe('the flawed model of the demo', () => {
  it('is what its script makes of the weights of v1', () => {
    assert.deepEqual(Buffer.from(encodeFlawedModel(readFileSync(FIRST_MODEL))), readFileSync(FLAWED_MODEL))
  })

  it('fails for the three digits with most ink, alone of their batch, and says of the others what v1 says', async () => {
    const handler = keyed(
      onnx({
        model: FLAWED_MODEL,
        inputs: { x: float32(64) },
        outputs: { probabilities: float32(10), label: int64() },
      }),
    )
      .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
      .withPostprocess(({ key, value }) => kv(key, Number(value.inference.label[0])))
    const labels = from('images', { key: utf8(), value: json<Digit>() }).runInference('classify', handler, {
      batch: { maxSize: 256 },
    })
    const inky = images.filter(isInky).map(({ digit }) => digit.id)
    assert.deepEqual(inky.toSorted(), ['digit-0185', 'digit-0424', 'digit-0615'])
    await onDriver(topology('ink', [labels.to('labels', { key: utf8(), value: json<number>() })]), async driver => {
      const digits = images.map(({ digit }) => ({ key: digit.id, value: digit }))
      await feed(driver, digits, 'images')
      const failed = await driver.read('ink.classify.failed-inference')
      for (const { headers } of failed) assert.equal(headers['kri-code'], 'INFERENCE_FAILED')
      for (const { headers } of failed) assert.match(headers['kri-error-message']!, /out of data bounds/)
      assert.deepEqual(failed.map(({ key }) => String(key)).toSorted(), inky.toSorted())
      const given = new Map((await driver.read('labels')).map(({ key, value }) => [key, value]))
      assert.equal(given.size, images.length - inky.length)
      for (const { digit, results } of images)
        if (!inky.includes(digit.id)) assert.equal(given.get(digit.id), results.get(FIRST_MODEL)!.label, digit.id)
    })
  })
})
