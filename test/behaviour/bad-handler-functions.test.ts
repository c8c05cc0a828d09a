// What a function around a model can do wrong: a dead letter for its record, the neighbours unharmed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, json, onnx, topology } from 'kafka-run-inference'
import type { Topology } from '../../src/topology.ts'
import { calculation, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const ROWS = 9
const BAD = 4

/** Feeds 0 to 8, of which the graph makes one a dead letter; all others must come out, in order. */
async function harmsOnlyItself(
  graph: Topology,
  letter: {
    readonly stage: 'preprocess' | 'inference' | 'postprocess'
    readonly code: string
    readonly index?: number
  },
): Promise<void> {
  await onDriver(graph, async driver => {
    await feed(driver, values(...Array.from({ length: ROWS }, (_, i) => i)))
    const letters = await driver.read(`t.calc.failed-${letter.stage}`)
    assert.deepEqual(
      letters.map(({ bytes, headers }) => [String(bytes), headers['kri-code'], headers['kri-index']]),
      [[String(BAD), letter.code, letter.index?.toString()]],
    )
    const out = (await driver.read('out')).map(({ headers }) => Number(headers['kri-source']!.split('/')[2]))
    assert.deepEqual(
      out,
      Array.from({ length: ROWS }, (_, i) => i).filter(i => i !== BAD),
    )
    assert.deepEqual(await driver.port.admin.committed('t', 'in'), [ROWS])
  })
}

const onBad =
  <T>(deed: () => T) =>
  (value: number) =>
    value === BAD || value === BAD * 10 ? deed() : value
const throwsText = onBad(() => {
  throw 'only a text'
})
const givesNothing = onBad(() => undefined as never)
const rejects = onBad(() => Promise.reject(new Error('late')) as never)
const { handler } = timesTen()

describe('a function before the model', () => {
  it('that throws a text: FUNCTION_THREW, with its index in execution order', () =>
    harmsOnlyItself(calculation(handler.withPreprocess((value: number) => value).withPreprocess(throwsText)), {
      stage: 'preprocess',
      code: 'FUNCTION_THREW',
      index: 0,
    }))

  it('that returns a promise which rejects: FUNCTION_THREW', () =>
    harmsOnlyItself(calculation(handler.withPreprocess(rejects)), {
      stage: 'preprocess',
      code: 'FUNCTION_THREW',
      index: 0,
    }))

  it('that returns undefined where the model takes tensors: SHAPE_MISMATCH', () => {
    const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const around = model
      .withPreprocess((value: number) => (value === BAD ? (undefined as never) : new Float32Array(64).fill(value)))
      .withPostprocess(({ inference }) => inference.length)
    return harmsOnlyItself(calculation(around), { stage: 'inference', code: 'SHAPE_MISMATCH' })
  })

  it('that changes its input harms no other record, and its dead letter is the record as it was', async () => {
    interface Item {
      id: number
      list: number[]
    }
    const mutating = handler.withPreprocess((item: Item) => {
      item.list.length = 0
      item.id = item.id === 1 ? -1 : item.id
      if (item.id < 0) throw new RangeError('spoilt')
      return item.id
    })
    const graph = topology('t', [from('in', json<Item>()).runInference('calc', mutating).to('out', json<number>())])
    await onDriver(graph, async driver => {
      await feed(driver, values({ id: 0, list: [0] }, { id: 1, list: [1] }, { id: 2, list: [2] }))
      const letters = await driver.read('t.calc.failed-preprocess')
      assert.deepEqual(
        letters.map(({ bytes }) => String(bytes)),
        ['{"id":1,"list":[1]}'],
      )
      assert.deepEqual(
        (await driver.read('out')).map(({ value }) => value),
        [0, 20],
      )
    })
  })
})

describe('a function behind the model', () => {
  it('that throws a text: POSTPROCESS_THREW, with its index', () =>
    harmsOnlyItself(calculation(handler.withPostprocess(value => value).withPostprocess(throwsText)), {
      stage: 'postprocess',
      code: 'POSTPROCESS_THREW',
      index: 1,
    }))

  it('that returns undefined, which no topic can hold: ENCODE_SCHEMA', () =>
    harmsOnlyItself(calculation(handler.withPostprocess(givesNothing)), {
      stage: 'postprocess',
      code: 'ENCODE_SCHEMA',
    }))

  it('that overwrites the tensors that it sees changes no other result', async () => {
    const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const plain = model.withPreprocess((value: number) => new Float32Array(64).fill(value))
    const sums = async (graph: Topology) => {
      let out: unknown[] = []
      await onDriver(graph, async driver => {
        await feed(driver, values(1, 2, 3, 4, 5))
        out = (await driver.read('out')).map(({ value }) => value)
      })
      return out
    }
    const sum = (inference: Float32Array) => inference.reduce((a, b, i) => a + b * i, 0)
    const expected = await sums(calculation(plain.withPostprocess(({ inference }) => sum(inference))))
    const overwriting = plain.withPostprocess(({ example, inference }) => {
      const result = sum(inference)
      inference.fill(Number.NaN)
      ;(example as Float32Array).fill(Number.NaN)
      return result
    })
    assert.deepEqual(await sums(calculation(overwriting)), expected)
  })
})
