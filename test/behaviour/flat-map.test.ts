import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, type KV, kv, topology } from 'kafka-run-inference'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { classifier, deadLetters, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const value = (key: string, text: string) => ({ key, value: text })
/** `a b c` → three elements; nothing → none. */
const words = ({ key, value: text }: KV<string, string>) =>
  text.split(' ').flatMap(word => (word === '' ? [] : [kv(key, word)]))
const source = from('in', strings)
const split = source.flatMap(words, { maxFanOut: 3 })
const outputs = async (driver: TopologyDriver, topic = 'out') => shown(await driver.read(topic))
const letters = async (driver: TopologyDriver, topic = 't.failed-preprocess') =>
  (await driver.read(topic)).map(({ key, value: text, headers }) => `${key} ${text} ${headers['kri-code']}`)

describe('flatMap', () => {
  it('I1: none is a counted drop, one and many are outputs of their record, in order; all is committed', async () => {
    const metrics = countingMetrics()
    await onDriver(
      topology('t', [split.to('out', strings)]),
      async driver => {
        await feed(driver, [value('none', ''), value('one', 'a'), value('many', 'a b c')])
        assert.deepEqual(await outputs(driver), ['one=a', 'many=a', 'many=b', 'many=c'])
        const from = (await driver.read('out')).map(({ headers }) => headers['kri-source'])
        assert.deepEqual(from, ['in/0/1', 'in/0/2', 'in/0/2', 'in/0/2'])
        assert.deepEqual(metrics.drops, { 'flatMap#1': 1 })
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [3])
      },
      { metrics },
    )
  })

  it('of a generator: taken to its end, or to maxFanOut; more is one dead letter, and nothing of it leaves', async () => {
    let given = 0
    const endless = source.flatMap(
      function* ({ key, value: text }) {
        for (let i = 0; i < Number(text); i++) {
          given++
          yield kv(key, `${i}`)
        }
      },
      { maxFanOut: 3 },
    )
    await onDriver(topology('t', [endless.to('out', strings)]), async driver => {
      await feed(driver, [value('a', '3'), value('b', '1000000'), value('c', '1')])
      assert.deepEqual(await outputs(driver), ['a=0', 'a=1', 'a=2', 'c=0'])
      assert.deepEqual(await letters(driver), ['b 1000000 FAN_OUT'])
      assert.equal(given, 3 + 4 + 1, 'no more is asked of it than tells')
    })
  })

  it('of an array with more than maxFanOut: a dead letter', async () => {
    await onDriver(topology('t', [split.to('out', strings)]), async driver => {
      await feed(driver, [value('a', '1 2 3 4'), value('b', '1 2 3')])
      assert.deepEqual(await letters(driver), ['a 1 2 3 4 FAN_OUT'])
      assert.equal((await outputs(driver)).length, 3)
    })
  })

  it('of a generator that throws half-way: nothing of it leaves', async () => {
    const failing = source.flatMap(
      function* ({ key, value: text }) {
        yield kv(key, 'first')
        if (text === 'bad') throw new RangeError('half-way')
        yield kv(key, 'second')
      },
      { maxFanOut: 5 },
    )
    await onDriver(topology('t', [failing.to('out', strings)]), async driver => {
      await feed(driver, [value('a', 'bad'), value('b', 'good')])
      assert.deepEqual(await outputs(driver), ['b=first', 'b=second'])
      const [letter, ...others] = await driver.read('t.failed-preprocess')
      assert.equal(others.length, 0)
      assert.deepEqual(
        ['kri-node', 'kri-code', 'kri-error-type'].map(name => letter!.headers[name]),
        ['flatMap#1', 'FUNCTION_THREW', 'RangeError'],
      )
    })
  })

  it('of what is no list: a dead letter', async () => {
    const wrong = source.flatMap(() => 5 as unknown as KV<string, string>[], { maxFanOut: 2 })
    await onDriver(topology('t', [wrong.to('out', strings)]), async driver => {
      await feed(driver, [value('a', 'x')])
      assert.deepEqual(await letters(driver), ['a x FUNCTION_THREW'])
    })
  })

  it('of a promise: a dead letter that says so, also of one that is rejected afterwards; the process lives', async () => {
    const later = ({ value: text }: KV<string, string>) =>
      text === 'bad' ? Promise.reject(new RangeError('nobody waits for this')) : Promise.resolve([])
    const wrong = source.flatMap(later as unknown as () => KV<string, string>[], { maxFanOut: 2 })
    await onDriver(topology('t', [wrong.to('out', strings)]), async driver => {
      await feed(driver, [value('a', 'bad'), value('b', 'x')])
      assert.deepEqual(await letters(driver), ['a bad FUNCTION_THREW', 'b x FUNCTION_THREW'])
      for (const { headers } of await driver.read('t.failed-preprocess'))
        assert.match(headers['kri-error-message']!, /returned a promise/)
    })
  })

  it('I2: in another, children leave in the order of their parents', async () => {
    const nested = split
      .flatMap(({ key, value: word }) => [1, 2].map(i => kv(key, `${word}${i}`)), { maxFanOut: 2 })
      .flatMap(({ key, value: word }) => [kv(key, `${word}x`), kv(key, `${word}y`)], { maxFanOut: 2 })
    await onDriver(topology('t', [nested.to('out', strings)]), async driver => {
      await feed(driver, [value('k', 'a b'), value('l', 'c')])
      const ends = (word: string) => ['1x', '1y', '2x', '2y'].map(end => `${word}${end}`)
      assert.deepEqual(await outputs(driver), [...ends('k=a'), ...ends('k=b'), ...ends('l=c')])
    })
  })

  it('children that fail are one dead letter of their record, which counts them; the others leave, and the record counts once', async () => {
    const checked = split.map(element => {
      if (element.value === 'bad') throw new RangeError('no')
      return element
    })
    await onDriver(topology('t', [checked.to('out', strings)]), async driver => {
      await feed(driver, [value('k', 'a bad c'), value('l', 'bad bad')])
      assert.deepEqual(await outputs(driver), ['k=a', 'k=c'])
      assert.deepEqual(await letters(driver), ['k a bad c FUNCTION_THREW', 'l bad bad FUNCTION_THREW'])
      const counts = (await driver.read('t.failed-preprocess')).map(({ headers }) => headers['kri-failed-elements'])
      assert.deepEqual(counts, [undefined, '2'])
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
    })
  })

  it('before a step: children share batches with those of other records, and leave in order', async () => {
    const metrics = countingMetrics()
    const labels = split.runInference('classify', classifier)
    await onDriver(
      topology('t', [labels.to('out', strings)]),
      async driver => {
        await feed(driver, [value('k', '1 2 3'), value('l', 'pre 4'), value('m', ''), value('n', '5')])
        const labelled = await outputs(driver)
        assert.deepEqual(
          labelled.map(text => text.split(':')[0]),
          ['k=1', 'k=2', 'k=3', 'l=4', 'n=5'],
        )
        assert.deepEqual(metrics.batches, ['idle 5'])
        assert.equal((await deadLetters(driver, 'preprocess')).length, 1)
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [4])
      },
      { metrics },
    )
  })

  it('behind a step, and before the next one', async () => {
    const again = source
      .runInference('one', classifier)
      .flatMap(({ key, value: text }) => text.split(':').map(part => kv(key, part)), { maxFanOut: 2 })
      .runInference('two', classifier)
    await onDriver(topology('t', [again.to('out', strings)]), async driver => {
      await feed(driver, [value('a', '1'), value('b', '2')])
      const found = await outputs(driver)
      assert.deepEqual(
        found.map(text => text[0]),
        ['a', 'a', 'b', 'b'],
      )
      assert.equal(found[0]!.split(':')[0], 'a=1')
      assert.equal(found[2]!.split(':')[0], 'b=2')
    })
  })

  it('I2: children that are done in another order leave in theirs; those that fail at one node are one dead letter', async () => {
    const metrics = countingMetrics()
    // Each brightness fills a batch of its own: the sevens are through long before the ones.
    const batch = { bucketBy: ({ value: text }: KV<string, string>) => text, maxSize: 2, maxWaitMs: 500 }
    const labels = split.runInference('classify', classifier, { batch })
    await onDriver(
      topology('t', [labels.to('out', strings)]),
      async driver => {
        await driver.pipe('in', [value('k', 'wide 1 post'), value('l', 'post 7 7')])
        await driver.advance(100)
        assert.deepEqual(metrics.batches, ['count 2', 'count 2'])
        assert.deepEqual(await outputs(driver), [])
        await driver.advance(1_000)
        assert.deepEqual(
          (await outputs(driver)).map(text => text.split(':')[0]),
          ['k=1', 'l=7', 'l=7'],
        )
        assert.deepEqual(await letters(driver, 't.classify.failed-postprocess'), [
          'k wide 1 post ENCODE_SCHEMA',
          'k wide 1 post POSTPROCESS_THREW',
          'l post 7 7 POSTPROCESS_THREW',
        ])
      },
      { metrics },
    )
  })

  it('I5: children take credits when they are made and return them with their record', async () => {
    const metrics = countingMetrics()
    await onDriver(
      topology('t', [
        split.runInference('classify', classifier, { batch: { maxSize: 64, maxWaitMs: 500 } }).to('out', strings),
      ]),
      async driver => {
        await driver.pipe('in', [value('k', '1 2 3'), value('l', '4'), value('m', '')])
        await driver.advance(100)
        assert.equal(metrics.inFlightNow, 3 + 4)
        assert.deepEqual(metrics.children, { in: 4 })
        await driver.advance(1_000)
        assert.equal(metrics.inFlightNow, 0)
        assert.equal((await outputs(driver)).length, 4)
      },
      { metrics },
    )
  })

  it('I5: a partition whose records became too many elements is paused until they are through', async () => {
    const metrics = countingMetrics()
    const many = source
      .flatMap(({ key }) => Array.from({ length: 50 }, (_, i) => kv(key, `${i % 10}`)), { maxFanOut: 50 })
      .runInference('classify', classifier, { batch: { maxSize: 64, maxWaitMs: 5_000 } })
    await onDriver(
      topology('t', [many.to('out', strings)]),
      async driver => {
        for (let i = 0; i < 20; i++) await driver.pipe('in', [value(`k${i}`, '')])
        await driver.advance(1_000)
        assert.ok(
          metrics.batches.some(batch => batch.startsWith('pressure')),
          metrics.batches.join(),
        )
        await driver.advance(10_000)
        assert.equal((await outputs(driver)).length, 1_000)
        assert.equal(metrics.inFlightNow, 0)
        assert.ok(metrics.mostInFlight <= 100 + 51 * 2, `${metrics.mostInFlight}`)
      },
      { metrics, settings: { maxInFlightRows: 100 } },
    )
  })

  it('a tombstone that is forwarded passes it whole', async () => {
    const forwarding = from('in', strings, { tombstones: 'forward' }).flatMap(words, { maxFanOut: 3 })
    await onDriver(topology('t', [forwarding.to('out', strings)]), async driver => {
      await feed(driver, [value('a', 'x y'), { key: 'a', value: null }])
      assert.deepEqual(await outputs(driver), ['a=x', 'a=y', 'a=null'])
    })
  })
})
