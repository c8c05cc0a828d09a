import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { avro, from, topology, utf8 } from 'kafka-run-inference'
import type { Digit } from '../../schemas/types.ts'
import type { InputRecord } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { deadLetters, digitTopology } from '../support/digit-topology.ts'
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
