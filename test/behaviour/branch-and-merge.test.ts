import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, type KV, kv, topology } from 'kafka-run-inference'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { classifier, deadLetters, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

type Element = KV<string, string>
const value = (key: string, text: string) => ({ key, value: text })
const source = from('in', strings)
const is = (text: string) => (element: Element) => element.value === text
const marked = (mark: string) => (element: Element) => kv(element.key, `${element.value}${mark}`)
const outputs = async (driver: TopologyDriver, topic = 'out') => shown(await driver.read(topic))
/** Without what the model says. */
const inputs = (labelled: readonly string[]) => labelled.map(text => text.split(':')[0])

describe('branch', () => {
  it('the first case that takes an element gets it; what none takes is a counted drop', async () => {
    const metrics = countingMetrics()
    const { low, small } = source.branch({ low: is('1'), small: ({ value: text }) => Number(text) < 3 })
    await onDriver(
      topology('t', [low.to('low', strings), small.to('small', strings)]),
      async driver => {
        await feed(driver, [value('a', '1'), value('b', '2'), value('c', '3'), value('d', '1')])
        assert.deepEqual(await outputs(driver, 'low'), ['a=1', 'd=1'])
        assert.deepEqual(await outputs(driver, 'small'), ['b=2'])
        assert.deepEqual(metrics.drops, { 'branch#1': 1 })
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [4])
      },
      { metrics },
    )
  })

  it('a case that nobody reads takes its elements all the same: counted drops', async () => {
    const metrics = countingMetrics()
    const { rest } = source.branch({ unread: is('1'), rest: () => true })
    await onDriver(
      topology('t', [rest.to('out', strings)]),
      async driver => {
        await feed(driver, [value('a', '1'), value('b', '2')])
        assert.deepEqual(await outputs(driver), ['b=2'])
        assert.deepEqual(metrics.drops, { 'branch#1': 1 })
      },
      { metrics },
    )
  })

  it('a case that throws makes a dead letter, and no case behind it is asked', async () => {
    let asked = 0
    const { first, second } = source.branch({
      first: ({ value: text }) => {
        if (text === 'bad') throw new RangeError('cannot say')
        return false
      },
      second: () => ++asked > 0,
    })
    await onDriver(topology('t', [first.to('out-1', strings), second.to('out-2', strings)]), async driver => {
      await feed(driver, [value('a', 'bad'), value('b', 'good')])
      const letters = await driver.read('t.failed-preprocess')
      assert.deepEqual(
        letters.map(({ key, headers }) => `${key} ${headers['kri-node']} ${headers['kri-error-type']}`),
        ['a branch#1 RangeError'],
      )
      assert.deepEqual(await outputs(driver, 'out-2'), ['b=good'])
      assert.equal(asked, 1)
    })
  })

  it('a stream that is read twice beside a branch: each gets all of its own', async () => {
    const { one, other } = source.branch({ one: is('1'), other: () => true })
    const graph = topology('t', [
      one.to('one', strings),
      source.to('all', strings),
      other.map(marked('!')).to('other', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', '1'), value('b', '2')])
      assert.deepEqual(await outputs(driver, 'all'), ['a=1', 'b=2'])
      assert.deepEqual(await outputs(driver, 'one'), ['a=1'])
      assert.deepEqual(await outputs(driver, 'other'), ['b=2!'])
    })
  })
})

describe('merge', () => {
  it('I2: outputs of one record leave in the order of the inputs, also of merges in merges', async () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(mark => source.map(marked(mark)))
    const graphs = {
      one: d!.merge(b!, c!, a!),
      'in the first input': d!.merge(b!).merge(c!.merge(a!)),
      'in the last input': d!.merge(b!.merge(c!.merge(a!))),
      'one in another in another': d!.merge(b!).merge(c!).merge(a!),
    }
    for (const [name, merged] of Object.entries(graphs)) {
      await onDriver(topology('t', [merged.to('out', strings)]), async driver => {
        await feed(driver, [value('k', '1'), value('l', '2')])
        assert.deepEqual(await outputs(driver), ['k=1d', 'k=1b', 'k=1c', 'k=1a', 'l=2d', 'l=2b', 'l=2c', 'l=2a'], name)
      })
    }
  })

  it('I2: also when the inputs come by steps that end in another order', async () => {
    const slow = source.runInference('slow', classifier, { batch: { maxSize: 10, maxWaitMs: 500 } })
    const fast = source.runInference('fast', classifier)
    const merged = slow.map(marked(' slow')).merge(fast.map(marked(' fast')), source)
    await onDriver(topology('t', [merged.to('out', strings)]), async driver => {
      await feed(driver, [value('k', '1'), value('l', '2')])
      assert.deepEqual(
        (await outputs(driver)).map(text => text.replace(/:\d/, '')),
        ['k=1 slow', 'k=1 fast', 'k=1', 'l=2 slow', 'l=2 fast', 'l=2'],
      )
    })
  })

  it('a step below one batches all its ways together, and each goes on where it came from', async () => {
    const metrics = countingMetrics()
    const tenfold = source.map(element => (element.value === 'pre' ? element : marked('0')(element)))
    const merged = source.merge(tenfold)
    await onDriver(
      topology('t', [merged.runInference('classify', classifier).to('out', strings)]),
      async driver => {
        await feed(driver, [value('k', '1'), value('l', 'pre'), value('m', '2')])
        assert.deepEqual(inputs(await outputs(driver)), ['k=1', 'k=10', 'm=2', 'm=20'])
        assert.deepEqual(metrics.batches, ['idle 4'])
        const letters = await deadLetters(driver, 'preprocess')
        assert.deepEqual(
          letters.map(({ key, headers }) => `${key} ${headers['kri-failed-elements']}`),
          ['l 2'],
        )
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [3])
      },
      { metrics },
    )
  })

  it('of two sources: one step, one output topic; each source is committed by itself', async () => {
    const other = from('other', strings)
    const merged = source.merge(other).runInference('classify', classifier)
    await onDriver(topology('t', [merged.to('out', strings)]), async driver => {
      await driver.pipe('in', [value('a', '1'), value('b', '2')])
      await feed(driver, [value('c', '3'), value('d', 'post')], 'other')
      assert.deepEqual(inputs(await outputs(driver)).toSorted(), ['a=1', 'b=2', 'c=3'])
      const [letter] = await deadLetters(driver, 'postprocess')
      assert.equal(letter!.headers['kri-original-topic'], 'other')
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
      assert.deepEqual(await driver.port.admin.committed('t', 'other'), [2])
    })
  })

  it('of the cases of a branch: every element leaves once, in source order', async () => {
    const { even, odd } = source.branch({ even: ({ value: text }) => Number(text) % 2 === 0, odd: () => true })
    const merged = even.map(marked(' even')).merge(odd.runInference('classify', classifier))
    await onDriver(topology('t', [merged.to('out', strings)]), async driver => {
      await feed(
        driver,
        ['1', '2', '3', '4'].map(text => value('k', text)),
      )
      assert.deepEqual(inputs(await outputs(driver)), ['k=1', 'k=2 even', 'k=3', 'k=4 even'])
    })
  })

  it('a diamond below flatMap: ways first, then children', async () => {
    const words = source.flatMap(({ key, value: text }) => text.split(' ').map(word => kv(key, word)), { maxFanOut: 9 })
    const merged = words.map(marked('x')).merge(words.map(marked('y')))
    await onDriver(topology('t', [merged.map(marked('!')).to('out', strings)]), async driver => {
      await feed(driver, [value('k', 'a b'), value('l', 'c')])
      assert.deepEqual(await outputs(driver), ['k=ax!', 'k=bx!', 'k=ay!', 'k=by!', 'l=cx!', 'l=cy!'])
    })
  })
})

describe('keyBy', () => {
  it('changes the key of elements, and not that of records', async () => {
    const keyed = source.keyBy(({ value: text }) => `key of ${text}`)
    const undone = keyed.map(({ key, value: inner }) => kv(inner.key, key))
    const graph = topology('t', [
      undone.to('out', strings),
      keyed.map(({ key, value: inner }) => kv(key, inner.value)).to('changed', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', '1')])
      assert.deepEqual(await outputs(driver), ['a=key of 1'])
      assert.deepEqual(await outputs(driver, 'changed'), [])
      const [letter] = await driver.read('t.failed-preprocess')
      assert.equal(letter!.headers['kri-code'], 'KEY_CHANGED')
    })
  })

  it('a function that throws is a dead letter of it', async () => {
    const keyed = source.keyBy(() => {
      throw new RangeError('no key')
    })
    await onDriver(topology('t', [keyed.map(() => kv('', '')).to('out', strings)]), async driver => {
      await feed(driver, [value('a', '1')])
      const [letter] = await driver.read('t.failed-preprocess')
      assert.equal(letter!.headers['kri-node'], 'keyBy#1')
    })
  })
})

describe('a tombstone that is forwarded', () => {
  it('reaches each topic below once for each way that leads there: branches, merges, steps, keyBy', async () => {
    const forwarding = from('in', strings, { tombstones: 'forward' })
    const { one, other } = forwarding.branch({ one: is('1'), other: () => true })
    const merged = one.merge(other.runInference('classify', classifier))
    const keyed = forwarding.keyBy(({ key }) => key).map(({ value: inner }) => inner)
    const graph = topology('t', [merged.to('merged', strings), one.to('one', strings), keyed.to('keyed', strings)])
    await onDriver(graph, async driver => {
      await feed(driver, [{ key: 'gone', value: null }])
      assert.deepEqual(await outputs(driver, 'merged'), ['gone=null', 'gone=null'])
      assert.deepEqual(await outputs(driver, 'one'), ['gone=null'])
      assert.deepEqual(await outputs(driver, 'keyed'), ['gone=null'])
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [1])
    })
  })
})
