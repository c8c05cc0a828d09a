import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { avro, bytes, type Encoder, from, int64, keyed, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import type { Digit } from '../../schemas/types.ts'
import { createTopologyDriver, type InputRecord } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { classifier, deadLetters, digitTopology, mlp, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const good = (key: string, value = '5'): InputRecord => ({ key, value })

describe('a record that cannot be read', () => {
  const digits = () =>
    topology('d', [
      from('in', { key: utf8(), value: avro<Digit>('digit') })
        .map(({ value }) => value.id)
        .to('out', utf8()),
    ])

  it('goes to failed-preprocess with its raw bytes: no magic byte, an unknown schema id, a truncated value', async () => {
    await onDriver(digits(), async driver => {
      const values = [Buffer.from('not avro'), Buffer.from([0, 0, 0, 99, 1, 2, 3]), Buffer.from([0, 0, 0, 0, 1, 40])]
      await feed(
        driver,
        values.map(value => ({ key: 'k', value })),
      )
      const letters = await driver.read('d.failed-preprocess')
      assert.deepEqual(
        letters.map(({ bytes }) => bytes),
        values,
      )
      assert.deepEqual(
        letters.map(({ headers }) => headers['kri-code']),
        ['DECODE_MAGIC_BYTE', 'DECODE_UNKNOWN_SCHEMA', 'DECODE_MALFORMED'],
      )
      assert.ok(letters.every(({ headers }) => headers['kri-node'] === 'from in'))
    })
  })

  it('goes to failed-preprocess when the key is null and the source reads keys', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [{ value: '5' }, good('a')])
      const [letter, ...others] = await deadLetters(driver, 'preprocess')
      assert.equal(letter!.headers['kri-code'], 'KEY_MISSING')
      assert.equal(letter!.key, null)
      assert.deepEqual(others, [])
      assert.equal((await driver.read('out')).length, 1)
    })
  })

  it('goes to failed-preprocess when the key is no text', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [{ key: Buffer.from([0xff, 0xfe]), value: '5' }])
      const [letter] = await deadLetters(driver, 'preprocess')
      assert.equal(letter!.headers['kri-code'], 'DECODE_MALFORMED')
      assert.deepEqual(letter!.key, Buffer.from([0xff, 0xfe]))
    })
  })
})

describe('a tombstone', () => {
  const records = [good('a'), { key: 'b', value: null }, good('c')]

  it('is a dead letter by default', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, records)
      const letters = await deadLetters(driver, 'preprocess')
      assert.deepEqual(
        letters.map(({ key, value, headers }) => [String(key), value, headers['kri-code']]),
        [['b', null, 'TOMBSTONE']],
      )
      assert.equal((await driver.read('out')).length, 2)
    })
  })

  it('is passed on, in its place, when the source forwards', async () => {
    await onDriver(digitTopology({ source: { tombstones: 'forward' } }), async driver => {
      await feed(driver, records)
      const out = await driver.read('out')
      assert.deepEqual(
        out.map(({ key, value }) => [key, value === null]),
        [
          ['a', false],
          ['b', true],
          ['c', false],
        ],
      )
      assert.deepEqual(
        out.map(({ headers }) => headers['kri-source']),
        ['in/0/0', 'in/0/1', 'in/0/2'],
      )
    })
  })

  it('that is to be passed on without a key that can be read is a dead letter', async () => {
    await onDriver(digitTopology({ source: { tombstones: 'forward' } }), async driver => {
      await feed(driver, [{ value: null }, { key: Buffer.from([0xff]), value: null }])
      const letters = await deadLetters(driver, 'preprocess')
      assert.deepEqual(
        letters.map(({ headers }) => headers['kri-code']),
        ['KEY_MISSING', 'DECODE_MALFORMED'],
      )
      assert.deepEqual(await driver.read('out'), [])
    })
  })

  it('is a counted drop when the source drops', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology({ source: { tombstones: 'drop' } }),
      async driver => {
        await feed(driver, records)
        assert.equal((await driver.read('out')).length, 2)
        assert.deepEqual(await deadLetters(driver, 'preprocess'), [])
        assert.deepEqual(metrics.drops, { 'from in': 1 })
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [3])
      },
      { metrics },
    )
  })
})

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

describe('an output that cannot be written', () => {
  it('does not fit its codec: failed-postprocess ENCODE_SCHEMA', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [good('a', 'wide'), good('b')])
      const [letter] = await deadLetters(driver, 'postprocess')
      assert.equal(letter!.headers['kri-code'], 'ENCODE_SCHEMA')
      assert.equal(letter!.headers['kri-node'], 'to out')
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        ['b'],
      )
    })
  })

  it('has another key than its record: KEY_CHANGED, also when only the codecs of the keys differ', async () => {
    const loud: Encoder<string> = {
      label: 'loud',
      openEncoder: async () => ({ encode: (text, into, at) => at + into.write(text.toUpperCase(), at) }),
    }
    const source = from('in', strings)
    const graph = topology('t', [
      source.map(({ key, value }) => kv(`${key}!`, value)).to('other', strings),
      source.to('loud', { key: loud, value: utf8() }),
      source.to('same', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [good('a')])
      const letters = await driver.read('t.failed-preprocess')
      assert.deepEqual(
        letters.map(({ headers }) => `${headers['kri-node']} ${headers['kri-code']}`),
        ['to other KEY_CHANGED', 'to loud KEY_CHANGED'],
      )
      assert.deepEqual(shown(await driver.read('same')), ['a=5'])
    })
  })

  it('is larger than its topic takes: OUTPUT_TOO_LARGE, found before or by the broker', async () => {
    const graph = topology('t', [
      from('in', { key: bytes(), value: bytes() })
        .map(({ value }) => value.subarray(1))
        .to('out', bytes()),
    ])
    const metrics = countingMetrics()
    await onDriver(
      graph,
      async driver => {
        const key = Buffer.alloc(300_000, 1)
        await feed(driver, [{ key: Buffer.from('a'), value: Buffer.alloc(10) }])
        await feed(driver, [{ key: Buffer.from('b'), value: Buffer.alloc(1_048_000) }])
        await feed(driver, [{ key, value: Buffer.alloc(748_500) }])
        await feed(driver, [{ key: Buffer.from('d'), value: Buffer.alloc(10) }])
        const letters = await driver.read('t.failed-preprocess')
        assert.deepEqual(
          letters.map(({ headers }) => headers['kri-source']),
          ['in/0/1', 'in/0/2'],
        )
        assert.deepEqual(
          letters.map(({ headers }) => headers['kri-code']),
          ['OUTPUT_TOO_LARGE', 'OUTPUT_TOO_LARGE'],
        )
        assert.match(letters[1]!.headers['kri-error-message']!, /refuses the output/)
        assert.deepEqual(
          letters.map(({ bytes: value }) => value?.length),
          [1_048_000, 748_500],
          'dead letters keep values as long as their topic takes them',
        )
        assert.equal((await driver.read('out')).length, 2)
        assert.deepEqual(metrics.letters, { OUTPUT_TOO_LARGE: 2 }, 'a dead letter for a refusal is counted too')
      },
      { metrics },
    )
  })

  it('is refused by the broker: halved down to the record; the neighbours are written in order', async () => {
    await onDriver(digitTopology(), async driver => {
      const end = driver.broker.refuse(
        ({ topic, bytes: batch }) => topic === 'out' && batch.includes('poisoned'),
        'INVALID_RECORD',
      )
      const keys = Array.from({ length: 30 }, (_, i) => (i % 10 === 7 ? `poisoned-${i}` : `k${i}`))
      await feed(
        driver,
        keys.map(key => good(key)),
      )
      end()
      const letters = await deadLetters(driver, 'postprocess')
      assert.deepEqual(
        letters.map(({ key }) => String(key)),
        ['poisoned-7', 'poisoned-17', 'poisoned-27'],
      )
      assert.ok(letters.every(({ headers }) => headers['kri-code'] === 'OUTPUT_REFUSED'))
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        keys.filter(key => !key.startsWith('poison')),
      )
    })
  })

  it('whose dead letter is refused as well ends the application, with nothing committed', async () => {
    const driver = await createTopologyDriver(digitTopology())
    driver.broker.refuse(({ topic }) => topic !== 'in', 'INVALID_RECORD')
    await feed(driver, [good('a')])
    await assert.rejects(
      driver.running.finished,
      /BROKER_REFUSED.*failed-postprocess refuses the dead letter of in\/0 offset 0/,
    )
    assert.deepEqual(await driver.port.admin.committed('t', 'in'), [0])
  })

  it('with a timestamp too far ahead is clamped and counted; a timestamp of zero is kept', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology(),
      async driver => {
        const now = driver.clock.wallTime()
        await driver.port.admin.setTopicConfigs('in', { 'message.timestamp.type': 'CreateTime' })
        await feed(driver, [
          { ...good('zero'), timestamp: 0 },
          { ...good('soon'), timestamp: now + 3_590_000 },
        ])
        const out = await driver.read('out')
        assert.equal(out[0]!.timestamp, 0)
        assert.ok(out[1]!.timestamp <= driver.clock.wallTime())
        assert.equal(metrics.clamped, 1)
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
