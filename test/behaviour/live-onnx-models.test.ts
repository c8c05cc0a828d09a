import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { float32, from, int64, json, onnx, topology } from 'kafka-run-inference'
import type { ModelFiles } from '../../src/refresh/slot-loader.ts'
import type { ModelMetadata } from '../../src/refresh/step-models.ts'
import { onDriver } from '../support/on-driver.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const V2 = 'models/digits-mlp-v2.onnx'
const DECLARED = { inputs: { x: float32(64) }, outputs: { probabilities: float32(10), label: int64() } } as const
const pixels = from('in', json<number>()).map(n => ({ x: new Float32Array(64).fill(n) }))
const own = onnx({ model: V1, ...DECLARED })
const of = (handler: typeof own) => {
  const predictions = pixels.runInference('digits', handler, { modelMetadata: true })
  return topology('t', [predictions.map(({ modelId }) => modelId).to('out', json<string>())])
}
const withOwn = of(own)
const withoutOwn = of(onnx(DECLARED))

const named = (modelId: string, more: Partial<ModelMetadata> = {}): ModelMetadata => ({
  modelId,
  modelName: 'm',
  ...more,
})
const modelIds = (values: readonly { readonly value: unknown }[]) => values.map(({ value }) => value)
const records = (count: number) => Array.from({ length: count }, (_, i) => ({ value: i }))

describe('live ONNX models', () => {
  const bad: readonly (readonly [what: string, model: ModelMetadata, reason: RegExp])[] = [
    ['a missing file', named('models/none.onnx'), /cannot be read/],
    ['a wrong checksum', named(V2, { sha256: 'a'.repeat(64) }), /sha256/],
    ['a truncated file', named('models/corrupt-truncated.onnx'), /MODEL_UNUSABLE/],
    ['garbage', named('models/corrupt-garbage.onnx'), /MODEL_UNUSABLE/],
    ['an empty file', named('models/corrupt-empty.onnx'), /MODEL_UNUSABLE/],
    ['an unsupported opset', named('models/unsupported-opset.onnx'), /MODEL_UNUSABLE/],
    ['an unsupported operator', named('models/unsupported-op.onnx'), /MODEL_UNUSABLE/],
    ['another input width', named('models/digits-width32.onnx'), /32/],
    ['another output width', named('models/digits-5class.onnx'), /probabilities.*5/s],
  ]
  it('a bad model changes nothing: every kind is refused with its reason, and the good one goes on under its label', () =>
    onDriver(withOwn, async driver => {
      await driver.publishModel('digits', named(V2))
      for (const [what, model, reason] of bad) {
        await driver.publishModel('digits', model)
        const [slot] = driver.running.health().slots
        assert.deepEqual([slot!.state, slot!.modelId], ['failed', V2], what)
        assert.match(slot!.reason!, reason, what)
      }
      await driver.pipe('in', records(20))
      await driver.advance(1_000)
      assert.deepEqual(new Set(modelIds(await driver.read('out'))), new Set([V2]))
      assert.deepEqual(driver.failures, [])
    }))

  it('an instance that starts behind a bad one, with the same checks, serves its own model', () =>
    onDriver(
      withOwn,
      async driver => {
        await driver.pipe('in', records(3))
        await driver.advance(1_000)
        assert.deepEqual(modelIds(await driver.read('out')), [V1, V1, V1])
        assert.equal(driver.running.health().slots[0]!.state, 'failed')
      },
      { modelMetadata: new Map([['digits', named('models/digits-5class.onnx')]]) },
    ))

  it('the checksum that was published is the one that serves, and status tells it', () =>
    onDriver(withOwn, async driver => {
      const sha256 = createHash('sha256').update(readFileSync(V2)).digest('hex')
      await driver.publishModel('digits', named(V2, { sha256 }))
      const [slot] = driver.running.health().slots
      assert.deepEqual([slot!.state, slot!.sha256], ['current', sha256])
    }))

  it('without a model it waits, is no member of its group, says for what; then every record is scored', () =>
    onDriver(withoutOwn, async driver => {
      await driver.pipe('in', records(10))
      await driver.advance(10_000)
      const { live, ready, problems, groups } = driver.running.health()
      assert.deepEqual([live, ready, groups], [true, false, {}])
      assert.match(problems['model of digits']!, /names no model, and none is published/)
      await driver.publishModel('digits', named('models/corrupt-garbage.onnx'))
      assert.equal(driver.running.health().ready, false)
      await driver.publishModel('digits', named(V2))
      await driver.advance(2_000)
      assert.ok(driver.running.health().ready)
      assert.equal(driver.running.health().problems['model of digits'], undefined)
      assert.deepEqual(modelIds(await driver.read('out')), Array(10).fill(V2))
      await driver.publishModel('digits', undefined)
      const [slot] = driver.running.health().slots
      assert.deepEqual([slot!.state, slot!.modelId], ['failed', V2], 'there is nothing to go back to')
    }))

  for (const modelMetadata of [true, false]) {
    it(`a handler’s own model that is elsewhere is fetched before the start, modelMetadata ${modelMetadata}`, () => {
      const url = 'https://models.example/digits.onnx'
      const results = pixels.runInference('digits', onnx({ model: url, ...DECLARED }), { modelMetadata })
      const remote = topology('t', [results.map(({ modelId }) => modelId).to('out', json<string>())])
      const bytes = readFileSync(V1)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const asked: string[] = []
      const modelFiles: ModelFiles = {
        async fetch({ modelId }) {
          asked.push(modelId)
          return { path: V1, sha256, sizeBytes: bytes.length, release() {} }
        },
      }
      return onDriver(
        remote,
        async driver => {
          await driver.pipe('in', records(2))
          await driver.advance(1_000)
          assert.deepEqual([modelIds(await driver.read('out')), asked], [[url, url], [url]])
        },
        { modelFiles },
      )
    })
  }

  it('one that waits for a model can be stopped', () => onDriver(withoutOwn, async driver => driver.stop()))
})
