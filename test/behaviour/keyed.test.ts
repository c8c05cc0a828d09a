import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, isKV, json, type KV, keyed, kv, maybeKeyed, topology, utf8 } from 'kafka-run-inference'
import type { ModelHandler } from '../../src/models/model-handler.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { answers, asked } from '../support/keyed-models.ts'
import { timesTen } from '../support/number-handlers.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const source = from('in', { key: utf8(), value: json<number>() })
const out = { key: utf8(), value: json<unknown>() }

type Maybe = number | KV<string, number>

/** Elements with an even value keep their key before the step, and odd ones lose it; results as JSON shows them. */
function mixed(handler: ModelHandler<Maybe, Maybe>) {
  const steps = source
    .map(({ key, value }): Maybe => (value % 2 === 0 ? kv(key, value) : value))
    .runInference('calc', handler)
    .map(result => (isKV(result) ? [result.key, result.value] : result))
  return topology('t', [steps.to('out', json<unknown>())])
}

describe('keyed, with one handler', () => {
  it('keys ride along: all share the batch and the model, which sees none of them', async () => {
    const { handler, batches } = timesTen()
    const graph = topology('t', [source.runInference('calc', keyed<number, number>(handler)).to('out', out)])
    await onDriver(graph, async driver => {
      await feed(driver, asked('a=1', 'b=2', 'a=3'))
      assert.deepEqual(await answers(driver), ['a=10', 'b=20', 'a=30'])
      assert.deepEqual(batches, [[1, 2, 3]])
    })
  })

  it('an element without a key is a dead letter alone; its neighbours are not (Beam fails the batch)', async () => {
    const { handler } = timesTen()
    const unkeyed = keyed<number, number>(handler).withPreprocess(
      ({ key, value }: KV<string, number>) => (value === 2 ? value : kv(key, value)) as KV<string, number>,
    )
    await onDriver(topology('t', [source.runInference('calc', unkeyed).to('out', out)]), async driver => {
      await feed(driver, asked('a=1', 'b=2', 'c=3'))
      assert.deepEqual(await answers(driver), ['a=10', 'c=30'])
      const [letter, ...others] = await driver.read('t.calc.failed-preprocess')
      assert.deepEqual([String(letter!.key), letter!.headers['kri-code'], others], ['b', 'FUNCTION_THREW', []])
      assert.match(letter!.headers['kri-error-message']!, /expected kv\(key, example\), got number 2/)
    })
  })
})

describe('maybeKeyed', () => {
  const values = async (driver: TopologyDriver) => (await driver.read('out')).map(({ value }) => value)

  it('each element decides for itself, also inside one batch (Beam takes the first one’s word)', async () => {
    const { handler, batches } = timesTen()
    await onDriver(mixed(maybeKeyed<number, number>(handler)), async driver => {
      await feed(driver, asked('a=1', 'b=2', 'c=3', 'd=4'))
      assert.deepEqual(await values(driver), [10, ['b', 20], 30, ['d', 40]])
      assert.deepEqual(batches, [[1, 2, 3, 4]])
    })
  })

  it('functions around it see elements as they are, with a key or without', async () => {
    const more = (element: Maybe): Maybe => (isKV(element) ? kv(element.key, element.value + 100) : element + 1)
    const { handler } = timesTen()
    const around = maybeKeyed<number, number>(handler).withPreprocess(more).withPostprocess(more)
    await onDriver(mixed(around), async driver => {
      await feed(driver, asked('a=1', 'b=2'))
      assert.deepEqual(await values(driver), [21, ['b', 1120]])
    })
  })
})
