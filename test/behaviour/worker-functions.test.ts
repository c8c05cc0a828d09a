/** Functions of a step with `functions: 'worker'`, on the driver: the same copies and errors, without a thread. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type KV, keyed, kv, type StepOptions, topology, utf8 } from 'kafka-run-inference'
import type { InputRecord } from '../../src/testing/index.ts'
import { deadLetters, digitTopology, mlp, shown, strings } from '../support/digit-topology.ts'
import { onDriver } from '../support/on-driver.ts'

const texts = (...values: string[]): InputRecord[] => values.map((value, i) => ({ key: `k${i}`, value }))
const image = ({ key, value }: KV<string, string>) => kv(key, { x: new Float32Array(64).fill(Number(value)) })

describe("functions: 'worker', on the driver", () => {
  const inWorker: StepOptions = { functions: 'worker' }

  it('give the same outputs and dead letters as on the main thread', async () => {
    const records = texts('1', 'pre', '2', 'post', 'short', 'wide', '3')
    const seen: unknown[] = []
    for (const step of [{}, inWorker]) {
      await onDriver(digitTopology({ step }), async driver => {
        await driver.pipe('in', records)
        await driver.advance(1_000)
        const letters = []
        for (const stage of ['preprocess', 'inference', 'postprocess'] as const) {
          for (const { bytes, headers } of await deadLetters(driver, stage)) {
            const { 'kri-error-stack': stack, 'kri-failed-at': _, ...others } = headers
            letters.push([String(bytes), others, stack?.split('\n').slice(0, 2)])
          }
        }
        seen.push({ out: shown(await driver.read('out')), letters })
      })
    }
    assert.deepEqual(seen[1], seen[0])
    assert.equal((seen[0] as { letters: unknown[] }).letters.length, 4)
  })

  it('see keyed elements, predictions with their examples, and copies that they may change', async () => {
    const handler = keyed(mlp)
      .withPreprocess((element: KV<string, { pixel: number }>) => {
        const { key, value } = element
        value.pixel++
        return kv(key, { x: new Float32Array(64).fill(value.pixel) })
      })
      .withPostprocess(({ key, value: { example, inference, modelId } }) => {
        inference.probabilities.fill(0)
        return kv(key, { x: example.x[0], label: Number(inference.label[0]), modelId })
      })
    const source = from('in', { key: utf8(), value: json<{ pixel: number }>() })
    const graph = topology('t', [
      source.runInference('classify', handler, inWorker).to('out', { key: utf8(), value: json() }),
      source.to('copy', { key: utf8(), value: json() }),
    ])
    await onDriver(graph, async driver => {
      await driver.pipe('in', [{ key: 'a', value: { pixel: 4 } }])
      await driver.advance(1_000)
      const [out] = await driver.read('out')
      assert.deepEqual((out!.value as { x: number }).x, 5)
      assert.deepEqual((await driver.read('copy'))[0]!.value, { pixel: 4 })
    })
  })

  it('what cannot be copied is NOT_CLONEABLE for its record alone', async () => {
    const handler = keyed(mlp)
      .withPreprocess(image)
      .withPostprocess(({ key, value: { example } }) => kv(key, example.x[0] === 2 ? () => {} : 'fine'))
    const graph = topology('t', [
      from('in', strings)
        .map(element => (element.value === '3' ? kv(element.key, (() => '3') as never) : element))
        .runInference('classify', handler, inWorker)
        .to('out', { key: utf8(), value: json() }),
    ])
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1', '2', '3', '4'))
      await driver.advance(1_000)
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['k0', 'k3'],
      )
      const codes = driver.failures.map(({ stage, index, code }) => [stage, index, code])
      assert.deepEqual(codes.toSorted(), [
        ['postprocess', 0, 'NOT_CLONEABLE'],
        ['preprocess', 0, 'NOT_CLONEABLE'],
      ])
    })
  })
})
