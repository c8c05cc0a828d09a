/** Asynchronous functions around a model. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type KV, keyed, kv, topology, utf8 } from 'kafka-run-inference'
import type { InputRecord, TopologyDriver } from '../../src/testing/index.ts'
import { deadLetters, mlp, strings } from '../support/digit-topology.ts'
import { onDriver } from '../support/on-driver.ts'

type Text = KV<string, string>

/** Calls that a test settles by hand. */
class Gate {
  readonly waiting = new Map<string, PromiseWithResolvers<unknown>>()
  most = 0

  pass = <T>(name: string, value: T): Promise<T> => {
    const settled = Promise.withResolvers<unknown>()
    this.waiting.set(name, settled)
    this.most = Math.max(this.most, this.waiting.size)
    return settled.promise.then(() => value).finally(() => this.waiting.delete(name))
  }

  open(name: string): void {
    this.waiting.get(name)!.resolve(undefined)
  }
}

const image = ({ key, value }: Text) => kv(key, { x: new Float32Array(64).fill(Number(value)) })
const label = ({ key, value: { inference } }: KV<string, { inference: { label: BigInt64Array } }>) =>
  kv(key, String(inference.label[0]))

/** in → model, with what a test puts around it → out. */
function around(before: (element: Text) => Promise<Text>, options: { concurrency: number; timeoutMs?: number }) {
  const handler = keyed(mlp).withPreprocess(image).withPreprocess(before, options).withPostprocess(label)
  return topology('t', [from('in', strings).runInference('classify', handler).to('out', strings)])
}

const texts = (...values: string[]): InputRecord[] => values.map((value, i) => ({ key: `k${i}`, value }))
const outKeys = async (driver: TopologyDriver) => (await driver.read('out')).map(({ key }) => key)

describe('an asynchronous function', () => {
  it('is called so often at one time, its results go on as they come and leave in source order (I2)', async () => {
    const gate = new Gate()
    const graph = around(element => gate.pass(element.key, element), { concurrency: 2 })
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1', '2', '3'))
      await driver.idle()
      assert.deepEqual([...gate.waiting.keys()], ['k0', 'k1'])
      gate.open('k1')
      await driver.idle()
      assert.deepEqual([...gate.waiting.keys()], ['k0', 'k2'])
      gate.open('k2')
      await driver.idle()
      assert.deepEqual(await outKeys(driver), [])
      gate.open('k0')
      await driver.idle()
      assert.deepEqual(await outKeys(driver), ['k0', 'k1', 'k2'])
      assert.equal(gate.most, 2)
    })
  })

  it('counts its calls together, however many ways and steps lead to it', async () => {
    const gate = new Gate()
    const handler = keyed(mlp)
      .withPreprocess(image)
      .withPreprocess((element: Text) => gate.pass(`${element.key} ${gate.waiting.size}`, element), { concurrency: 3 })
      .withPostprocess(label)
    const source = from('in', strings)
    const twice = source.merge(source.map(element => element))
    const graph = topology('t', [
      twice.runInference('a', handler).to('out', strings),
      source.runInference('b', handler).to('other', strings),
    ])
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1', '2'))
      await driver.idle()
      while (gate.waiting.size > 0) {
        gate.open([...gate.waiting.keys()].at(-1)!)
        await driver.idle()
      }
      assert.equal(gate.most, 3)
      assert.deepEqual(await outKeys(driver), ['k0', 'k0', 'k1', 'k1'])
      assert.equal((await driver.read('other')).length, 2)
    })
  })

  it('that rejects, throws or takes too long makes a dead letter with its index; its neighbours are unharmed', async () => {
    const graph = around(
      element => {
        if (element.value === 'throw') throw new RangeError('at once')
        if (element.value === 'reject') return Promise.reject(new TypeError('later'))
        if (element.value === 'text') return Promise.reject('only a text')
        if (element.value === 'never') return new Promise(() => {})
        return Promise.resolve(element)
      },
      { concurrency: 8, timeoutMs: 500 },
    )
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1', 'throw', 'reject', 'never', 'text', '6'))
      await driver.advance(499)
      assert.deepEqual(await outKeys(driver), ['k0'])
      await driver.advance(1)
      assert.deepEqual(await outKeys(driver), ['k0', 'k5'])
      const letters = await deadLetters(driver, 'preprocess')
      assert.deepEqual(
        letters.map(({ headers }) => [headers['kri-code'], headers['kri-index'], headers['kri-error-type']]),
        [
          ['FUNCTION_THREW', '0', 'RangeError'],
          ['FUNCTION_THREW', '0', 'TypeError'],
          ['FUNCTION_TIMEOUT', '0', 'RunInferenceError'],
          ['FUNCTION_THREW', '0', 'string'],
        ],
      )
      assert.match(letters[2]!.headers['kri-error-message']!, /preprocess function 0 did not settle within 500 ms/)
      assert.equal(String(letters[2]!.bytes), 'never')
    })
  })

  it('has 30 s where nobody says, and the time of its step where the step does', async () => {
    const never = (_: Text) => new Promise<KV<string, { x: Float32Array }>>(() => {})
    const handler = keyed(mlp)
      .withPreprocess(never, { concurrency: 8 })
      .withPostprocess(async result => label(result), { concurrency: 8 })
    const source = from('in', strings)
    const graph = topology('t', [
      source.runInference('default', handler).to('out', strings),
      source.runInference('step', handler, { functionTimeoutMs: 2_000 }).to('other', strings),
    ])
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1'))
      await driver.advance(2_000)
      const failed = async (step: string) => (await deadLetters(driver, 'preprocess', `t.${step}`)).length
      // Both are branches of the record, which leaves when all of them have ended.
      assert.deepEqual(
        driver.failures.map(({ step }) => step),
        ['step'],
      )
      await driver.advance(27_999)
      assert.equal(await failed('default'), 0)
      await driver.advance(1)
      assert.deepEqual([await failed('default'), await failed('step')], [1, 1])
    })
  })

  it('behind the model gets memory of its own and the label of its model, whatever runs meanwhile', async () => {
    const gate = new Gate()
    const handler = keyed(mlp)
      .withPreprocess(image)
      .withPostprocess(
        async ({ key, value }) => {
          const before = [...value.inference.probabilities]
          const keep = value
          await gate.pass(key, undefined)
          return kv(key, { keep, before })
        },
        { concurrency: 100 },
      )
      .withPostprocess(({ key, value: { keep, before } }) => {
        if (key === 'bad') throw new Error('after the wait')
        const now = [...keep.inference.probabilities]
        return kv(key, { same: now.every((p, i) => p === before[i]), x: keep.example.x[0], modelId: keep.modelId })
      })
    const graph = topology('t', [
      from('in', strings)
        .runInference('classify', handler, { batch: { maxSize: 1 } })
        .to('out', { key: utf8(), value: json() }),
    ])
    await onDriver(graph, async driver => {
      await driver.pipe('in', [
        { key: 'a', value: '1' },
        { key: 'bad', value: '7' },
        { key: 'b', value: '9' },
      ])
      await driver.idle()
      for (const name of ['b', 'a', 'bad']) gate.open(name)
      await driver.idle()
      const modelId = 'models/digits-mlp-v1.onnx'
      assert.deepEqual(
        (await driver.read('out')).map(({ value }) => value),
        [
          { same: true, x: 1, modelId },
          { same: true, x: 9, modelId },
        ],
      )
      const [letter] = await deadLetters(driver, 'postprocess')
      assert.equal(letter!.headers['kri-model-id'], modelId)
      assert.equal(letter!.headers['kri-index'], '1')
    })
  })

  it('without its options is a dead letter that says what to do', async () => {
    const handler = keyed(mlp)
      .withPreprocess(image)
      .withPreprocess((element: Text) => (element.value === '2' ? (Promise.resolve(element) as never) : element))
      .withPostprocess(label)
    await onDriver(
      topology('t', [from('in', strings).runInference('classify', handler).to('out', strings)]),
      async driver => {
        await driver.pipe('in', texts('1', '2'))
        await driver.idle()
        assert.deepEqual(await outKeys(driver), ['k0'])
        const [letter] = await deadLetters(driver, 'preprocess')
        assert.match(letter!.headers['kri-error-message']!, /returned a promise.*\{ concurrency \}/)
      },
    )
  })

  it('that is under way when the topology stops is finished within the budget', async () => {
    const gate = new Gate()
    const graph = around(element => gate.pass(element.key, element), { concurrency: 2 })
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1'))
      await driver.idle()
      const stopping = driver.stop()
      gate.open('k0')
      await stopping
      assert.equal((await driver.port.admin.offsets('out'))[0]!.end, 1)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [1])
    })
  })

  it('that does not settle holds the stop up for the budget and no longer; its record is not committed', async () => {
    const graph = around(() => new Promise(() => {}), { concurrency: 2, timeoutMs: 60_000 })
    await onDriver(graph, async driver => {
      await driver.pipe('in', texts('1'))
      await driver.idle()
      const from = driver.clock.now()
      await driver.stop()
      assert.ok(driver.clock.now() - from < 15_000)
      assert.deepEqual((await driver.port.admin.committed('t', 'in'))[0] ?? -1, 0)
    })
  })
})
