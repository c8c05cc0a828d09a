import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, type Encoder, from, kv, topology, utf8 } from 'kafka-run-inference'
import { createTopologyDriver, type InputRecord } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { deadLetters, digitTopology, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const good = (key: string, value = '5'): InputRecord => ({ key, value })

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

  for (const processingGuarantee of ['at_least_once', 'exactly_once'] as const)
    it(`of which one record has several, all refused: one dead letter, in source order (${processingGuarantee})`, async () => {
      const parts = from('in', strings).flatMap(({ key, value }) => [0, 1, 2].map(i => kv(`${key}`, `${value}-${i}`)), {
        maxFanOut: 3,
      })
      const metrics = countingMetrics()
      await onDriver(
        topology('t', [parts.to('out', strings)]),
        async driver => {
          driver.broker.refuse(({ topic, bytes: batch }) => topic === 'out' && batch.includes('bad-'), 'INVALID_RECORD')
          await feed(driver, [good('a', 'bad'), good('b'), good('c', 'bad')])
          const letters = await driver.read('t.failed-preprocess')
          assert.deepEqual(
            letters.map(({ key, headers }) => `${key} ${headers['kri-code']} ${headers['kri-failed-elements']}`),
            ['a OUTPUT_REFUSED 3', 'c OUTPUT_REFUSED 3'],
          )
          assert.deepEqual(shown(await driver.read('out')), ['b=5-0', 'b=5-1', 'b=5-2'])
          assert.deepEqual(metrics.letters, { OUTPUT_REFUSED: 2 })
        },
        { metrics, settings: { processingGuarantee } },
      )
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
