// Dead letters that are processed again: R1 to R3 and R5 of pipeline/replay-marks.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, type KV, kv, topology } from 'kafka-run-inference'
import { classifier, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'
import { copyOf, failing, header, outputs, REPLAY, replayAll, replayed, said } from '../support/replays.ts'

const value = (key: string, text: string) => ({ key, value: text })
const source = from('in', strings)

describe('a replayed dead letter', () => {
  it('of a cascade: what the first step answered is not written twice, what the second one failed at is', async () => {
    const { broken, step } = failing()
    const first = source.runInference('v1', step('v1'))
    const second = first.runInference('v2', step('v2'))
    const graph = topology('t', [first.to('v1', strings), second.to('v2', strings)])
    await onDriver(graph, async driver => {
      broken.add('v2')
      await feed(driver, [value('a', 'x')])
      assert.deepEqual([await outputs(driver, 'v1'), await outputs(driver, 'v2')], [['a=v1'], []])
      broken.clear()
      await replayAll(driver, 't.v2.failed-preprocess')
      assert.deepEqual([await outputs(driver, 'v1'), await outputs(driver, 'v2')], [['a=v1'], ['a=v2']])
      assert.deepEqual(await driver.port.admin.committed('t', REPLAY), [1])
    })
  })

  it('of a function above two steps: both branches, and what stands beside is silent', async () => {
    const { broken, step, at } = failing()
    const shared = source.map(at('shared'))
    const graph = topology('t', [
      source.map(at('beside')).to('beside', strings),
      shared.runInference('one', step('one')).to('one', strings),
      shared.runInference('two', step('two')).to('two', strings),
    ])
    await onDriver(graph, async driver => {
      broken.add('shared')
      await feed(driver, [value('a', 'x')])
      assert.equal((await driver.read('t.one.failed-preprocess')).length, 1)
      broken.clear()
      broken.add('beside')
      await replayAll(driver, 't.one.failed-preprocess')
      assert.deepEqual(await outputs(driver, 'one'), ['a=one'])
      assert.deepEqual(await outputs(driver, 'two'), ['a=two'])
      assert.deepEqual(await outputs(driver, 'beside'), ['a=x beside'])
      assert.equal((await driver.read('t.one.failed-preprocess')).length, 1, 'beside it, nobody hears of failures')
      assert.deepEqual(await driver.port.admin.committed('t', REPLAY), [1])
    })
  })

  it('of one output topic: the other outputs of its step are not written twice', async () => {
    const { broken, step, at } = failing()
    const labels = source.runInference('s', step('s'))
    const graph = topology('t', [labels.to('good', strings), labels.map(at('bad')).to('bad', strings)])
    await onDriver(graph, async driver => {
      broken.add('bad')
      await feed(driver, [value('a', 'x')])
      broken.clear()
      await replayAll(driver, 't.s.failed-postprocess')
      assert.deepEqual(await outputs(driver, 'good'), ['a=s'])
      assert.deepEqual(await outputs(driver, 'bad'), ['a=s bad'])
    })
  })

  it('below a merge: only by the way on which it failed', async () => {
    const { broken, step, at } = failing()
    const merged = source.map(at('plain')).merge(source.runInference('s', step('s')))
    await onDriver(topology('t', [merged.map(at('end')).to('out', strings)]), async driver => {
      broken.add('s')
      await feed(driver, [value('a', 'x')])
      assert.deepEqual(await outputs(driver, 'out'), ['a=x plain end'])
      broken.clear()
      await replayAll(driver, 't.s.failed-preprocess')
      assert.deepEqual(await outputs(driver, 'out'), ['a=x plain end', 'a=s end'])
    })
  })

  it('that fails again, above, at or below: a dead letter as usual, with its first position and one replay more', async () => {
    const { broken, step, at } = failing()
    const second = source.map(at('above')).runInference('v1', step('v1')).runInference('v2', step('v2'))
    await onDriver(topology('t', [second.map(at('below')).to('out', strings)]), async driver => {
      await feed(driver, [value('first', '')])
      broken.add('v2')
      await driver.advance(7)
      await feed(driver, [{ ...value('a', 'x'), timestamp: 12_345 }])
      const topics = {
        above: 't.v1.failed-preprocess',
        v1: 't.v1.failed-preprocess',
        v2: 't.v2.failed-preprocess',
        below: 't.v2.failed-postprocess',
      }
      const original = ['original-topic', 'original-partition', 'original-offset', 'original-timestamp']
      const before = (await driver.read(topics.v2)).at(-1)!
      assert.deepEqual(said(before, 'step', ...original, 'replay-count'), ['v2', 'in', '0', '1', '12345', '0'])
      for (const [name, topic] of Object.entries(topics)) {
        broken.clear()
        broken.add(name)
        const count = (await driver.read(topic)).length
        await replayed(driver, [copyOf(before)])
        const letters = await driver.read(topic)
        assert.equal(letters.length, count + 1, name)
        assert.deepEqual(said(letters.at(-1)!, ...original), ['in', '0', '1', '12345'], name)
        assert.deepEqual(said(letters.at(-1)!, 'replay-count'), ['1'], name)
      }
      assert.deepEqual(await outputs(driver, 'out'), ['first=v2 below'])
    })
  })

  it('counts on from what it says, and never so that it could go round for ever: whatever somebody has put there', async () => {
    const { broken, step } = failing()
    const graph = topology('t', [source.runInference('s', step('s')).to('out', strings)])
    await onDriver(graph, async driver => {
      broken.add('s')
      const claims = ['2', '-1000000000', '99999999999999999999', 'Infinity', 'none']
      for (const text of claims)
        await replayed(driver, [
          { ...value('a', 'x'), headers: [header('kri-step', 's'), header('kri-replay-count', text)] },
        ])
      const letters = await driver.read('t.s.failed-preprocess')
      const counts = letters.map(letter => said(letter, 'replay-count')[0])
      assert.deepEqual(counts, ['3', '1', '1000001', '1000001', '1'])
    })
  })

  it('without these headers goes everywhere; with them, elsewhere than in the replay topic, too, and loses them', async () => {
    const { step } = failing()
    const graph = topology('t', [source.to('copy', strings), source.runInference('s', step('s')).to('out', strings)])
    await onDriver(graph, async driver => {
      await replayed(driver, [value('a', 'x')])
      const pretended = [
        header('kri-step', 's'),
        header('kri-replay-count', '5'),
        header('kri-origin', 'x/0/1'),
        header('mine', '1'),
      ]
      await feed(driver, [{ ...value('b', 'y'), headers: pretended }])
      assert.deepEqual(await outputs(driver, 'copy'), ['a=x', 'b=y'])
      assert.deepEqual(await outputs(driver, 'out'), ['a=s', 'b=s'])
      const [, record] = await driver.read('copy')
      assert.deepEqual(record!.headers, { 'kri-source': 'in/0/0', mine: '1' })
    })
  })

  it('of a block that mixes them: each row by its own headers, in order', async () => {
    const { step } = failing()
    const graph = topology('t', [
      source.runInference('one', step('one')).to('out', strings),
      source.runInference('two', step('two')).to('out', strings),
    ])
    await onDriver(graph, async driver => {
      const rows = ['one', 'two', undefined, 'two', 'gone'].map((name, i) => ({
        ...value(`k${i}`, 'x'),
        headers: name === undefined ? [] : [header('kri-step', name)],
      }))
      await replayed(driver, rows)
      assert.deepEqual(await outputs(driver, 'out'), ['k0=one', 'k1=two', 'k2=one', 'k2=two', 'k3=two'])
      assert.deepEqual(await driver.port.admin.committed('t', REPLAY), [5])
    })
  })

  it('its streams of dead letters hear of a failure that counts, and of none that is silent', async () => {
    const { broken, step } = failing()
    const [a, b] = [source.runInference('a', step('a')), source.runInference('b', step('b'))]
    const told = (stream: typeof a) =>
      stream.failed.preprocess().map(({ element, step: name }) => kv((element as KV<string, string>).key, name))
    const graph = topology('t', [
      a.to('out-a', strings),
      b.to('out-b', strings),
      told(a).to('failed-a', strings),
      told(b).to('failed-b', strings),
    ])
    await onDriver(graph, async driver => {
      broken.add('a').add('b')
      await replayed(driver, [{ ...value('k', 'x'), headers: [header('kri-step', 'a')] }])
      assert.deepEqual(await outputs(driver, 'failed-a'), ['k=a'])
      assert.deepEqual(await outputs(driver, 'failed-b'), [])
      assert.equal((await driver.read('t.b.failed-preprocess')).length, 0)
    })
  })

  it('a tombstone goes to the outputs that it had not come to', async () => {
    const forwarding = from('in', strings, { tombstones: 'forward' })
    const graph = topology('t', [
      forwarding.to('copy', strings),
      forwarding.runInference('classify', classifier).to('out', strings),
    ])
    await onDriver(graph, async driver => {
      await replayed(driver, [{ key: 'a', value: null, headers: [header('kri-step', 'classify')] }])
      assert.deepEqual([await outputs(driver, 'copy'), await outputs(driver, 'out')], [[], ['a=null']])
    })
  })
})
