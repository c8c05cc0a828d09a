// Topics that the topology writes and reads again, and the groups that read them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, type KV, kv, topology } from 'kafka-run-inference'
import { murmur2Partition } from '../../src/kafka/murmur2.ts'
import { replayTopic } from '../../src/kafka/topic-names.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { partOf } from '../../src/topology-parts.ts'
import { classifier, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver, onFaultyDriver, passed, secondInstance } from '../support/on-driver.ts'
import { copyOf, failing, outputs, replayed, said } from '../support/replays.ts'

const value = (key: string, text: string, partition = 0) => ({ key, value: text, partition })
const source = from('in', strings)
const byWord = (s: typeof source) =>
  s.repartition('words', ({ value: word }: KV<string, string>) => `key of ${word}`, nested)
const words = source.flatMap(({ key, value: text }) => text.split(' ').map(word => kv(key, word)), { maxFanOut: 9 })
// The values of a repartitioned stream are its elements, here keyed ones, as JSON would have them.
const nested = { key: strings.key, value: pairs() }

/** `key=value` as one text, and back. */
function pairs() {
  return {
    label: 'pair',
    openEncoder: async () => ({
      encode: (element: KV<string, string>, into: Buffer, at: number) => {
        const text = `${element.key}=${element.value}`
        const length = Buffer.byteLength(text)
        return at + length > into.length ? -length : at + into.write(text, at)
      },
    }),
    openDecoder: async () => ({
      decode: (bytes: Buffer, start: number, end: number) => {
        const [key, word] = bytes.toString('utf8', start, end).split('=')
        return kv(key!, word!)
      },
    }),
  }
}

describe('repartition', () => {
  const flat = byWord(words).map(({ key, value: { key: first, value: word } }) => kv(key, `${word} of ${first}`))
  const graph = topology('t', [flat.to('out', strings)])

  it('writes the new key, where the hash of it says; what is below is read by a group of its own, and all is committed', async () => {
    await onDriver(
      graph,
      async driver => {
        await feed(driver, [value('k', 'a b', 0), value('l', 'b', 1), value('m', 'c', 2)])
        await driver.advance(1_000)
        for (const record of await driver.read('words')) {
          const key = Buffer.from(String(record.key))
          assert.equal(record.partition, murmur2Partition(key, 0, key.length, 3))
        }
        assert.deepEqual((await outputs(driver, 'out')).toSorted(), [
          'key of a=a of k',
          'key of b=b of k',
          'key of b=b of l',
          'key of c=c of m',
        ])
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [1, 1, 1])
        const committed = await driver.port.admin.committed('t.words', 'words')
        assert.equal(
          committed.reduce((sum, offset) => sum + Math.max(0, offset), 0),
          4,
        )
        assert.ok((await driver.port.admin.committed('t', 'words')).every(offset => offset < 0))
        assert.deepEqual(driver.running.health().groups, { t: 'joined', 't.words': 'joined' })
      },
      { partitions: 3 },
    )
  })

  it('records carry the time of their source and where it was; outputs below say both positions', async () => {
    await onDriver(graph, async driver => {
      await feed(driver, [{ ...value('k', 'a b'), timestamp: 12_345, headers: [['traceparent', Buffer.from('00-1')]] }])
      await driver.advance(1_000)
      const [first, second] = await driver.read('words')
      const wanted = { traceparent: '00-1', 'kri-source': 'in/0/0', 'kri-origin': 'in/0/0' }
      assert.deepEqual([first!.headers, second!.headers], [wanted, wanted])
      assert.deepEqual([first!.timestamp, second!.timestamp], [12_345, 12_345])
      const out = await driver.read('out')
      assert.deepEqual(
        out.map(record => said(record, 'source', 'origin')),
        [
          ['words/0/0', 'in/0/0'],
          ['words/0/1', 'in/0/0'],
        ],
      )
      assert.deepEqual(
        out.map(({ timestamp }) => timestamp),
        [12_345, 12_345],
      )
    })
  })

  it('an element whose key cannot be written, and a tombstone, are dead letters', async () => {
    const forwarding = from('in', strings, { tombstones: 'forward' })
    const odd = forwarding.repartition('odd', ({ value: text }) => (text === 'odd' ? (5 as never) : text), nested)
    await onDriver(topology('t', [odd.map(({ key }) => kv(key, key)).to('out', strings)]), async driver => {
      await feed(driver, [value('a', 'odd'), { key: 'b', value: null }, value('c', 'fine')])
      await driver.advance(1_000)
      assert.deepEqual(await outputs(driver, 'out'), ['fine=fine'])
      const letters = await driver.read('t.failed-preprocess')
      assert.deepEqual(
        letters.map(record => [String(record.key), ...said(record, 'code', 'node')]),
        [
          ['a', 'ENCODE_SCHEMA', 'to odd'],
          ['b', 'TOMBSTONE', 'to odd'],
        ],
      )
    })
  })
})

describe('through', () => {
  it('keeps the keys, the partitions and what is a tombstone; further ones keep the first position', async () => {
    const forwarding = from('in', strings, { tombstones: 'forward' })
    const twice = forwarding
      .through('one', strings)
      .map(({ key, value: text }) => kv(key, `${text}!`))
      .through('two', strings)
    const graph = topology('t', [twice.to('out', strings)], { provenance: false })
    await onDriver(
      graph,
      async driver => {
        await feed(driver, [value('a', '1', 0), value('b', '2', 1), { key: 'a', value: null, partition: 0 }])
        await driver.advance(2_000)
        const out = await driver.read('out')
        assert.deepEqual(shown(out), ['a=1!', 'a=null', 'b=2!'])
        assert.deepEqual(
          out.map(({ partition }) => partition),
          [0, 0, 1],
        )
        assert.deepEqual(
          out.map(({ headers }) => headers),
          [{}, {}, {}],
          'without provenance, outputs say nothing',
        )
        const two = await driver.read('two')
        assert.deepEqual(
          two.map(record => said(record, 'source', 'origin')),
          [
            [undefined, 'in/0/0'],
            [undefined, 'in/0/1'],
            [undefined, 'in/1/0'],
          ],
        )
      },
      { partitions: 2 },
    )
  })

  it('a dead letter below says where its record was, and where the first one was; replayed, it goes on from there', async () => {
    const { broken, step } = failing()
    const labels = source.through('between', strings).runInference('s', step('s'))
    await onDriver(topology('t', [labels.to('out', strings)]), async driver => {
      broken.add('s')
      await feed(driver, [value('a', 'x'), value('b', 'y')])
      await driver.advance(1_000)
      const letters = await driver.read('t.s.failed-preprocess')
      const names = ['original-topic', 'original-partition', 'original-offset', 'origin', 'replay-count']
      assert.deepEqual(
        letters.map(letter => said(letter, ...names)),
        [
          ['between', '0', '0', 'in/0/0', '0'],
          ['between', '0', '1', 'in/0/1', '0'],
        ],
      )
      broken.clear()
      await replayed(driver, letters.map(copyOf), replayTopic('t', 'between'))
      const out = await driver.read('out')
      assert.deepEqual(shown(out), ['a=s', 'b=s'])
      assert.deepEqual(
        out.map(record => said(record, 'origin')),
        [['in/0/0'], ['in/0/1']],
      )
    })
  })

  it('a dead letter above, replayed, says its first position in what it becomes', async () => {
    const { broken, step, at } = failing()
    const labels = source.map(at('m')).through('between', strings).runInference('s', step('s'))
    await onDriver(topology('t', [labels.to('out', strings)]), async driver => {
      await feed(driver, [value('first', 'x')])
      broken.add('m')
      await feed(driver, [value('a', 'x')])
      broken.clear()
      const letters = await driver.read('t.s.failed-preprocess')
      assert.deepEqual(
        letters.map(letter => said(letter, 'original-topic', 'step')),
        [['in', 's']],
      )
      await replayed(driver, letters.map(copyOf))
      await driver.advance(1_000)
      assert.deepEqual(
        (await driver.read('out')).map(record => said(record, 'origin')),
        [['in/0/0'], ['in/0/1']],
      )
    })
  })

  it('whenCaughtUp waits for what comes out of the last part', async () => {
    const labels = source.through('one', strings).runInference('classify', classifier).through('two', strings)
    await onDriver(topology('t', [labels.to('out', strings)]), async driver => {
      await driver.pipe(
        'in',
        Array.from({ length: 40 }, (_, i) => value(`k${i}`, '5')),
      )
      const progress: string[] = []
      const reached = await passed(
        driver,
        driver.running.whenCaughtUp((done, total) => progress.push(`${done}/${total}`)),
      )
      assert.equal(reached, true)
      assert.equal((await driver.read('out')).length, 40)
      assert.equal(progress.at(-1)!.split('/')[0], progress.at(-1)!.split('/')[1])
    })
  })

  it('parts that run apart give what the whole gives, and share nothing', async () => {
    const whole = topology('t', [
      source
        .through('between', strings)
        .map(({ key, value: text }) => kv(key, `${text}!`))
        .to('out', strings),
    ])
    await onDriver(whole, async driver => {
      await feed(driver, [value('a', '1')])
      await driver.advance(1_000)
      await passed(driver, driver.running.stop())
      const upper = await secondInstance(driver, partOf(whole, 'in'))
      await feed(driver, [value('b', '2')])
      await driver.advance(1_000)
      assert.deepEqual(upper.health().groups, { t: 'joined' })
      assert.deepEqual(await outputs(driver, 'between'), ['a=1', 'b=2'])
      assert.deepEqual(await outputs(driver, 'out'), ['a=1!'], 'nobody reads on')
      const lower = await secondInstance(driver, partOf(whole, 'between'))
      await driver.advance(2_000)
      assert.deepEqual(lower.health().groups, { 't.between': 'joined' })
      assert.deepEqual(await outputs(driver, 'out'), ['a=1!', 'b=2!'])
      await passed(driver, Promise.all([upper.stop(), lower.stop()]))
    })
  })

  it('a rebalance of one group drains its own partitions only', async () => {
    const whole = topology('t', [
      source.through('between', strings).runInference('classify', classifier).to('out', strings),
    ])
    await onFaultyDriver(whole, async (driver, executor) => {
      const release = executor.hang()
      await feed(driver, [value('a', '1')])
      await driver.advance(1_000)
      const before = driver.clock.now()
      const second = await secondInstance(driver, partOf(whole, 'in'))
      const { drainBudgetMs } = DEFAULT_RUN_SETTINGS
      assert.ok(driver.clock.now() - before < drainBudgetMs, 'nobody waited for the row between that is in a lane')
      release()
      await driver.advance(2_000)
      assert.equal((await outputs(driver, 'out')).length, 1)
      assert.deepEqual(await driver.port.admin.committed('t.between', 'between'), [1])
      await passed(driver, second.stop())
    })
  })

  it('a part that reads another topic too keeps the group of the application, with its offsets', async () => {
    const between = source.through('between', strings)
    const merged = between.merge(from('other', strings))
    await onDriver(topology('t', [merged.to('out', strings)]), async driver => {
      await driver.pipe('other', [value('b', '2')])
      await feed(driver, [value('a', '1')])
      await driver.advance(1_000)
      assert.deepEqual((await outputs(driver, 'out')).toSorted(), ['a=1', 'b=2'])
      assert.deepEqual(driver.running.health().groups, { t: 'joined' })
      assert.deepEqual(await driver.port.admin.committed('t', 'between'), [1])
    })
  })
})
