import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, type Decoder, float32, from, inference, int64, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import { countingMetrics } from '../support/counting-metrics.ts'
import { classifier, deadLetters, digitTopology, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const value = (key: string, text = '5') => ({ key, value: text })

describe('filter', () => {
  it('drops are counted by node, and committed', async () => {
    const metrics = countingMetrics()
    const source = from('in', strings).filter(({ key }) => key !== 'first')
    const graph = topology('t', [source.filter(({ key }) => key !== 'second').to('out', strings)])
    await onDriver(
      graph,
      async driver => {
        await feed(driver, [value('first'), value('second'), value('first'), value('third')])
        assert.deepEqual(shown(await driver.read('out')), ['third=5'])
        assert.deepEqual(metrics.drops, { 'filter#1': 2, 'filter#2': 1 })
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [4])
      },
      { metrics },
    )
  })
})

describe('branches', () => {
  it('a record is done when all its branches are: outputs, a drop and a dead letter', async () => {
    const source = from('in', strings)
    const graph = topology('t', [
      source.runInference('classify', classifier).to('labels', strings),
      source.filter(({ value: text }) => text !== '3').to('copies', strings),
      source.map(({ key, value: text }) => kv(key, `${text}!`)).to('loud', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', '1'), value('b', 'pre'), value('c', '3')])
      assert.deepEqual(
        (await driver.read('labels')).map(({ key }) => key),
        ['a', 'c'],
      )
      assert.deepEqual(shown(await driver.read('copies')), ['a=1', 'b=pre'])
      assert.deepEqual(shown(await driver.read('loud')), ['a=1!', 'b=pre!', 'c=3!'])
      assert.equal((await deadLetters(driver, 'preprocess')).length, 1)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [3])
    })
  })

  it('that fail on both sides give one dead letter each', async () => {
    const source = from('in', strings)
    const graph = topology('t', [
      source.runInference('one', classifier).to('out-1', strings),
      source.runInference('two', classifier).to('out-2', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', 'pre'), value('b', 'post')])
      for (const step of ['t.one', 't.two']) {
        assert.equal((await deadLetters(driver, 'preprocess', step)).length, 1)
        assert.equal((await deadLetters(driver, 'postprocess', step)).length, 1)
      }
    })
  })

  it('onto one topic leave in the order of the records, then of the sinks', async () => {
    const source = from('in', strings)
    const graph = topology('t', [
      source.map(({ key }) => kv(key, 'plain')).to('out', strings, { partition: 'source' }),
      source.runInference('classify', classifier).to('out', strings, { partition: 'key' }),
    ])
    await onDriver(graph, async driver => {
      await feed(
        driver,
        Array.from({ length: 20 }, (_, i) => value(`k${i}`, String(i % 16))),
      )
      const keys = (await driver.read('out')).map(({ key }) => key)
      assert.deepEqual(
        keys,
        Array.from({ length: 40 }, (_, i) => `k${i >> 1}`),
      )
    })
  })

  it('a tombstone that is forwarded reaches every output topic below, past functions and models', async () => {
    const source = from('in', strings, { tombstones: 'forward' })
    const graph = topology('t', [
      source.runInference('classify', classifier).to('labels', strings),
      source.filter(() => false).to('copies', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [{ key: 'a', value: null }])
      for (const topic of ['labels', 'copies']) assert.deepEqual(shown(await driver.read(topic)), ['a=null'])
    })
  })
})

describe('two steps', () => {
  it('one behind the other: results go through both, failures to the topics of their step', async () => {
    const graph = topology('t', [
      from('in', strings)
        .runInference('first', classifier)
        .map(({ key, value: text }) => kv(key, text.split(':')[1]!))
        .runInference('second', classifier)
        .to('out', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', '5'), value('b', 'pre'), value('c', 'post'), value('d', '0')])
      const out = await driver.read('out')
      assert.deepEqual(
        out.map(({ key }) => key),
        ['a', 'd'],
      )
      assert.ok(out.every(({ value: text }) => /^\d:\d$/.test(String(text))))
      assert.equal((await deadLetters(driver, 'preprocess', 't.first')).length, 1)
      assert.equal((await deadLetters(driver, 'postprocess', 't.first')).length, 1)
      assert.equal((await deadLetters(driver, 'preprocess', 't.second')).length, 0)
    })
  })
})

describe('a replay topic', () => {
  it('is read from the start and processed like its source', async () => {
    await onDriver(digitTopology(), async driver => {
      await feed(driver, [value('live')])
      const replay = 't.in.replay'
      await driver.pipe(replay, [
        { key: Buffer.from('again'), value: Buffer.from('5'), headers: [['kri-source', Buffer.from('in/0/7')]] },
        { key: Buffer.from('bad'), value: Buffer.from('pre') },
      ])
      await driver.advance(1_000)
      const out = await driver.read('out')
      assert.deepEqual(
        out.map(({ key }) => key),
        ['live', 'again'],
      )
      assert.equal(out[1]!.headers['kri-source'], `${replay}/0/0`)
      const [letter] = await deadLetters(driver, 'preprocess')
      assert.equal(letter!.headers['kri-original-topic'], replay)
      assert.deepEqual(await driver.port.admin.committed('t', replay), [2])
    })
  })
})

describe('raw tensor rows', () => {
  const model = 'models/digits-mlp-v1.onnx'
  const rows = Array.from({ length: 40 }, (_, i) => Float32Array.from({ length: 64 }, (_, x) => (i * x) % 17))
  const input = rows.map((row, i) => ({
    key: Buffer.from(`k${i}`),
    value: i === 7 ? Buffer.alloc(100) : Buffer.from(row.buffer),
  }))

  it('take the direct way and give the same bytes, keys and headers as row by row', async () => {
    const handler = onnx({ model, input: float32(64), output: float32(10) })
    const direct = from('in', float32(64)).runInference('infer', handler)
    const results = new Map<string, unknown>()
    const graphs = {
      direct: topology('t', [direct.to('out', inference())]),
      'direct, shape declared': topology('t', [direct.to('out', inference(float32(10)))]),
      'rows out': topology('t', [direct.to('out', inference(float32(null)))]),
      'rows in and out': topology('t', [
        from('in', float32(64))
          .map(row => row)
          .runInference('infer', handler)
          .map(prediction => prediction)
          .to('out', inference()),
      ]),
    }
    for (const [name, graph] of Object.entries(graphs)) {
      await onDriver(graph, async driver => {
        await feed(driver, input)
        const letters = await deadLetters(driver, 'preprocess', 't.infer')
        assert.deepEqual(
          letters.map(({ headers }) => headers['kri-code']),
          ['DECODE_SIZE'],
          name,
        )
        results.set(
          name,
          (await driver.read('out')).map(({ bytes: data, key, headers }) => ({ data, key, headers })),
        )
      })
    }
    const [first, ...others] = results.values()
    assert.equal((first as unknown[]).length, 39)
    for (const other of others) assert.deepEqual(other, first)
  })

  it('of several outputs: each sink gets the one that its codec or name says', async () => {
    const handler = onnx({ model, inputs: { x: float32(64) }, outputs: { label: int64(), probabilities: float32(10) } })
    const predictions = from('in', float32(64))
      .map(x => ({ x }))
      .runInference('infer', handler)
    const graph = topology('t', [
      predictions.to('first', inference()),
      predictions.to('open', inference(float32(null))),
      predictions.to('named', inference(float32(10), 'probabilities')),
      predictions.to('wrong', inference(float32(), 'probabilities')),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, input.slice(0, 5))
      const sizes = async (topic: string) => (await driver.read(topic)).map(({ bytes: data }) => data?.length)
      assert.deepEqual(await sizes('first'), [8, 8, 8, 8, 8])
      assert.deepEqual(await sizes('open'), [40, 40, 40, 40, 40])
      assert.deepEqual(await sizes('named'), [40, 40, 40, 40, 40])
      assert.deepEqual(await sizes('wrong'), [])
      const letters = await deadLetters(driver, 'postprocess', 't.infer')
      assert.ok(letters.every(({ headers }) => headers['kri-code'] === 'ENCODE_SCHEMA'))
      assert.equal(letters.length, 5)
    })
  })

  it('the example of a prediction is the row that came in', async () => {
    const handler = onnx({ model, input: float32(64), output: float32(10) })
    const graph = topology('t', [
      from('in', float32(64))
        .runInference('infer', handler)
        .map(({ example }) => new Uint8Array(example.buffer, example.byteOffset, example.byteLength))
        .to('out', bytes()),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, input.slice(0, 5))
      assert.deepEqual(
        (await driver.read('out')).map(({ bytes: data }) => data),
        input.slice(0, 5).map(({ value: row }) => row),
      )
    })
  })
})

describe('provenance', () => {
  it('can be turned off: then outputs carry only what their records carried', async () => {
    const graph = topology('t', [from('in', utf8()).to('out', utf8())], { provenance: false })
    await onDriver(graph, async driver => {
      await feed(driver, [
        {
          value: 'v',
          headers: [
            ['traceparent', Buffer.from('00-1')],
            ['kri-source', Buffer.from('x')],
          ],
        },
      ])
      const [record] = await driver.read('out')
      assert.deepEqual(record!.headers, { traceparent: '00-1' })
    })
  })
})

describe('a decoder', () => {
  it('is asked to prepare a block once, also when it never has what it needs', async () => {
    let prepared = 0
    const forgetful: Decoder<string> = {
      label: 'forgetful',
      openDecoder: async () => ({
        prepare: async () => void prepared++,
        decode: (block, start, end) => block.toString('utf8', start, end),
      }),
    }
    await onDriver(topology('t', [from('in', forgetful).to('out', utf8())]), async driver => {
      await feed(driver, [{ value: Buffer.from('a') }])
      assert.equal((await driver.read('out')).length, 1)
      assert.equal(prepared, 1)
    })
  })
})
