// What the console makes of what it reads: graphs and their rates, growth and quantiles, conditions for dead letters.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drawGraph } from '../../src/console/graph-view.ts'
import { selectionOfQuery } from '../../src/console/selection-query.ts'
import { describeTopology } from '../../src/describe/description.ts'
import { from, topology } from '../../src/index.ts'
import { quantile } from '../../src/ops/metric-readings.ts'
import { createReadings } from '../../src/ops/readings.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { classifier, digitTopology, strings } from '../support/digit-topology.ts'
import everyNode from '../support/every-node-topology.ts'

describe('the graph', () => {
  it('has an edge for everything that a topology can say, between nodes that are there, each with an id of its own', () => {
    const { nodes, edges } = drawGraph(describeTopology(everyNode)).view
    const ids = new Set(nodes.map(({ id }) => id))
    assert.equal(ids.size, nodes.length)
    assert.equal(new Set(edges.map(({ id }) => id)).size, edges.length)
    for (const { from: start, to } of edges) assert.ok(ids.has(start) && ids.has(to), `${start} > ${to}`)
    for (const kind of ['source', 'function', 'branch', 'merge', 'step', 'through', 'sink', 'dead-letters'])
      assert.ok(
        nodes.some(node => node.kind === kind),
        kind,
      )
  })

  it('tells what follows from what is counted, and nothing that does not', () => {
    const graph = drawGraph(
      describeTopology(
        topology('t', [
          from('in', strings)
            .map(element => element)
            .runInference('classify', classifier)
            .map(element => element)
            .filter(() => true)
            .to('out', strings),
        ]),
      ),
    )
    const rates = graph.rates({ read: new Map([['in', 10]]), stepOut: new Map([['classify', 9]]) })
    const named = Object.fromEntries(graph.view.edges.map(({ id, from: start, to }) => [`${start} > ${to}`, rates[id]]))
    assert.deepEqual(
      Object.entries(named).filter(([name]) => !name.includes('failed')),
      [
        ['topic in > map#1', 10],
        ['map#1 > step classify', 10],
        ['step classify > map#2', 9],
        ['map#2 > filter#1', 9],
        ['filter#1 > topic out', undefined],
      ],
    )
  })
})

describe('growth', () => {
  it('is that of the window, from nothing where there was none, and never negative', async () => {
    const clock = createManualClock()
    const readings = createReadings(clock, 10_000)
    readings.add(new Map([['a', 5]]))
    for (const read of [readings.growth, readings.perSecond])
      assert.equal(read('a', 10_000), undefined, 'one reading tells no growth')
    await clock.advance(2_000)
    readings.add(new Map([...[['a', 25]], ['new', 6]] as [string, number][]))
    assert.equal(readings.perSecond('a', 10_000), 10)
    assert.equal(readings.perSecond('new', 10_000), 3)
    assert.equal(readings.perSecond('new', 10_000, true), undefined)
    assert.equal(readings.perSecond('a', 10_000, true), 10)
    await clock.advance(3_000)
    readings.add(new Map([['a', 1]]))
    assert.equal(readings.perSecond('a', 10_000), 0)
    assert.equal(readings.perSecond('new', 10_000, true), undefined, 'what it is now is not known')
    readings.forget()
    assert.equal(readings.perSecond('a', 10_000), undefined)
  })

  it('is that since the reading before, where all others are older', async () => {
    const clock = createManualClock()
    const readings = createReadings(clock, 10_000)
    for (const value of [0, 10, 40]) {
      readings.add(new Map([['a', value]]))
      await clock.advance(20_000)
    }
    assert.deepEqual(readings.growth('a', 3_000), { by: 30, seconds: 20 })
    assert.equal(readings.seconds(3_000), 20)
  })

  it('gives quantiles inside the buckets that things came to', () => {
    const buckets = [
      { upTo: 1, count: 0 },
      { upTo: 2, count: 50 },
      { upTo: 4, count: 50 },
      { upTo: Number.POSITIVE_INFINITY, count: 0 },
    ]
    assert.equal(quantile(buckets, 0.5), 2)
    assert.equal(quantile(buckets, 0.25), 1.5)
    assert.equal(quantile(buckets, 0.99), 3.96)
    assert.equal(
      quantile(
        [
          { upTo: 1, count: 0 },
          { upTo: Number.POSITIVE_INFINITY, count: 3 },
        ],
        0.5,
      ),
      1,
    )
  })
})

describe('conditions of the page', () => {
  it('select what the flags of kri dlq select', () => {
    const query = {
      ...{ stage: ['inference'], step: ['classify'], index: ['2'], code: ['timeout'], key: ['a', 'hex:00ff'] },
      ...{ header: ['trace=1', 'other'], original: ['in/0/5'], letter: ['t.x/1'], since: '2h', minReplays: '1' },
    }
    assert.deepEqual(selectionOfQuery(query, digitTopology(), 10_000_000), {
      ...{
        stages: ['inference'],
        steps: ['classify'],
        indexes: [2],
        codes: ['TIMEOUT'],
        keys: ['a'],
        keysHex: ['00ff'],
      },
      headers: [{ name: 'trace', value: '1' }, { name: 'other' }],
      offsets: [
        { of: 'original', topic: 'in', partition: 0, from: 5, until: 6 },
        { of: 'letter', topic: 't.x', partition: 1 },
      ],
      ...{ failedFrom: 2_800_000, minReplays: 1 },
    })
  })

  it('say all that is wrong with them at once', () => {
    const query = { stage: ['all'], index: ['-1'], key: ['hex:0'], since: 'yesterday' }
    assert.throws(() => selectionOfQuery(query, digitTopology(), 0), {
      code: 'SETTINGS_INVALID',
      message: /4 problems.*stage.*index.*key.*since/s,
    })
    assert.throws(() => selectionOfQuery({ step: ['clasify'] }, digitTopology(), 0), /has no step "clasify".*classify/)
  })
})
