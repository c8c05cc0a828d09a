import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, int64, keyed, onnx, topology, utf8 } from 'kafka-run-inference'
import type { InputRecord } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { classifier, deadLetters, digitTopology, mlp, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const good = (key: string, value = '5'): InputRecord => ({ key, value })

describe('a function that throws', () => {
  it('before the step: failed-preprocess with index, node, error and position, the record byte for byte', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [
        good('a'),
        {
          key: 'b',
          value: 'pre',
          headers: [
            ['mine', Buffer.from('x')],
            ['kri-code', Buffer.from('FAKE')],
            ['none', null],
          ],
          timestamp: 77,
        },
      ])
      const [letter, ...others] = await deadLetters(driver, 'preprocess')
      assert.deepEqual(others, [])
      const { 'kri-error-stack': stack, 'kri-failed-at': failedAt, ...headers } = letter!.headers
      assert.deepEqual(headers, {
        mine: 'x',
        none: null,
        'kri-source': 'in/0/1',
        'kri-application': 't',
        'kri-step': 'classify',
        'kri-node': 'step classify',
        'kri-stage': 'preprocess',
        'kri-index': '0',
        'kri-code': 'FUNCTION_THREW',
        'kri-error-type': 'RangeError',
        'kri-error-message': '[FUNCTION_THREW] preprocess function 0: asked for by the record',
        'kri-original-topic': 'in',
        'kri-original-partition': '0',
        'kri-original-offset': '1',
        'kri-original-timestamp': '77',
        'kri-attempt': '1',
        'kri-replay-count': '0',
      })
      assert.match(stack!, /RangeError: asked for by the record\n +at .*digit-topology/)
      assert.equal(
        Number(failedAt),
        letter!.timestamp,
        'stamped on arrival: an old record would be deleted by retention',
      )
      assert.equal(String(letter!.key), 'b')
      assert.equal(String(letter!.bytes), 'pre')
    })
  })

  it('behind the step: failed-postprocess, with the model; the neighbours keep their results', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [good('a'), good('b', 'post'), good('c')])
      const [letter, ...others] = await deadLetters(driver, 'postprocess')
      assert.deepEqual(others, [])
      assert.equal(letter!.headers['kri-code'], 'POSTPROCESS_THREW')
      assert.equal(letter!.headers['kri-index'], '0')
      assert.equal(letter!.headers['kri-model-id'], 'models/digits-mlp-v1.onnx')
      assert.equal(String(letter!.bytes), 'post')
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['a', 'c'],
      )
    })
  })

  it('as map or filter: failed-preprocess of the step below, failed-postprocess of the step above', async () => {
    const fail = (when: string) => (value: { readonly key: string }) => {
      if (value.key === when) throw new Error(`at ${when}`)
      return true
    }
    const graph = topology('t', [
      from('in', strings)
        .map(element => (fail('map-above')(element) ? element : element))
        .filter(fail('filter-above'))
        .runInference('classify', classifier)
        .map(element => (fail('map-below')(element) ? element : element))
        .filter(fail('filter-below'))
        .to('out', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(
        driver,
        ['map-above', 'filter-above', 'map-below', 'filter-below', 'fine'].map(key => good(key)),
      )
      const nodes = async (stage: 'preprocess' | 'postprocess') =>
        (await deadLetters(driver, stage)).map(
          ({ key, headers }) => `${String(key)} ${headers['kri-node']} ${headers['kri-code']}`,
        )
      assert.deepEqual(await nodes('preprocess'), [
        'map-above map#1 FUNCTION_THREW',
        'filter-above filter#1 FUNCTION_THREW',
      ])
      assert.deepEqual(await nodes('postprocess'), [
        'map-below map#2 POSTPROCESS_THREW',
        'filter-below filter#2 POSTPROCESS_THREW',
      ])
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['fine'],
      )
    })
  })

  it('may throw anything, or return a promise, and harms only its record', async () => {
    const thrown: Record<string, unknown> = {
      text: 'text',
      nothing: undefined,
      bare: Object.create(null),
      odd: Object.assign(new Error('odd'), { name: 5, stack: Symbol('stack'), message: Symbol('message') }),
      trapped: trapped(),
      revoked: revoked(),
      huge: new Error('x'.repeat(50_000_000)),
    }
    const graph = topology('t', [
      from('in', strings)
        .map(element => {
          if (element.key === 'promise') return Promise.reject(new Error('late')) as never
          if (element.key in thrown) throw thrown[element.key]
          return element
        })
        .to('out', strings),
    ])
    await onDriver(graph, async driver => {
      const keys = [...Object.keys(thrown), 'promise']
      await feed(
        driver,
        [...keys, 'fine'].map(key => good(key)),
      )
      const letters = await driver.read('t.failed-preprocess')
      assert.deepEqual(
        letters.map(({ key }) => String(key)),
        keys,
      )
      assert.ok(letters.every(({ headers }) => headers['kri-code'] === 'FUNCTION_THREW'))
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['fine'],
      )
    })
  })
})

/** An error that throws when it is looked at. */
function trapped(): Error {
  const get = () => assert.fail('looked at')
  return Object.defineProperties(new Error('trapped'), { name: { get }, message: { get }, stack: { get } })
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('a row that the model does not take', () => {
  it('of another shape: failed-inference SHAPE_MISMATCH naming tensor, expected and got', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [good('a'), good('b', 'short'), good('c')])
      const [letter, ...others] = await deadLetters(driver, 'inference')
      assert.deepEqual(others, [])
      assert.equal(letter!.headers['kri-code'], 'SHAPE_MISMATCH')
      assert.match(letter!.headers['kri-error-message']!, /"x": expected float32\[64\], got 63 elements/)
      assert.equal((await driver.read('out')).length, 2)
    })
  })

  it('that comes alone leaves the rows of later fetches their room', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [{ key: 'a', value: 'short' }])
      await feed(driver, [good('b'), good('c')])
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['b', 'c'],
      )
      assert.equal((await deadLetters(driver, 'inference')).length, 1)
    })
  })

  it('that makes the model throw is found; its neighbours keep the results that they have alone', async () => {
    const langid = onnx({ model: 'models/langid-int64.onnx', inputs: { ids: int64(32) }, outputs: { label: int64() } })
    const handler = langid
      .withPreprocess((text: string) => ({ ids: new BigInt64Array(32).fill(BigInt(text)) }))
      .withPostprocess(({ inference }) => String(inference.label[0]))
    const graph = topology('t', [from('in', utf8()).runInference('classify', handler).to('out', utf8())])
    const ids = Array.from({ length: 100 }, (_, i) => (i % 33 === 32 ? '99999999' : String(1 + (i % 7))))
    const alone = new Map<string, string>()
    await onDriver(graph, async driver => {
      for (let id = 1; id <= 7; id++) await feed(driver, [{ value: String(id) }])
      for (const [i, { value }] of (await driver.read('out')).entries()) alone.set(String(i + 1), String(value))
    })
    const metrics = countingMetrics()
    await onDriver(
      graph,
      async driver => {
        await feed(
          driver,
          ids.map(value => ({ value })),
        )
        const letters = await deadLetters(driver, 'inference')
        assert.deepEqual(
          letters.map(({ headers }) => headers['kri-source']),
          ['in/0/32', 'in/0/65', 'in/0/98'],
        )
        assert.ok(letters.every(({ headers }) => headers['kri-code'] === 'INFERENCE_FAILED'))
        assert.ok(letters.every(({ headers }) => headers['kri-model-id'] === 'models/langid-int64.onnx'))
        const wanted = ids.filter(id => id !== '99999999').map(id => alone.get(id)!)
        assert.deepEqual(
          (await driver.read('out')).map(({ value }) => value),
          wanted,
        )
        assert.deepEqual(metrics.breaker, [], 'rows found by bisection are no outage')
      },
      { metrics },
    )
  })
})

describe('a keyed handler', () => {
  it('whose functions give no keyed element: failed-preprocess saying so', async () => {
    const broken = keyed(mlp).withPreprocess(((value: unknown) => value) as never)
    const graph = topology('t', [
      from('in', utf8())
        .runInference('classify', broken as never)
        .map(() => 'never')
        .to('out', utf8()),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [{ value: 'v' }])
      const [letter] = await deadLetters(driver, 'preprocess')
      assert.match(letter!.headers['kri-error-message']!, /expected kv\(key, example\), got string v/)
    })
  })
})
