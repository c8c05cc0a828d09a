import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bytes, float32, from, inference, int64, keyed, kv, onnx, padded, topology, utf8 } from 'kafka-run-inference'
import { describeTopology } from '../../src/describe/description.ts'
import { describeAsMermaid } from '../../src/describe/mermaid.ts'
import { describeAsText } from '../../src/describe/text.ts'

const handler = onnx({
  model: 'http://me:swordfish@models/m.onnx',
  input: float32(2),
  output: float32(2),
  providers: ['cuda', 'cpu'],
  timeoutMs: 500,
})
function isBright(row: Float32Array): boolean {
  return row[0]! > 0
}
const rows = from('in', float32(2), { tombstones: 'drop' }).filter(isBright)
const graph = topology(
  'both',
  [
    rows.runInference('a', handler, { batch: { minSize: 4, maxWaitMs: 20 } }).to('out "a"', inference()),
    rows.to('copies', float32(2), { partition: 'key' }),
    from('other', { key: utf8(), value: float32(2) })
      .runInference(
        'b',
        keyed(handler).withPreprocess((pair: { key: string; value: Float32Array }) => kv(pair.key, pair.value)),
      )
      .map(({ key }) => kv(key, Buffer.from('')))
      .to('copies', { key: utf8(), value: bytes() }),
  ],
  { applicationId: 'app' },
)
const description = describeTopology(graph)

describe('the description of a topology', () => {
  test('names the parts that can run alone, where there are several', () => {
    assert.deepEqual(description.parts, ['in', 'other'])
    assert.match(describeAsText(description), /^parts +in, other \(kri run --part\)$/m)
    const one = describeTopology(topology('one', [rows.to('out', float32(2))]))
    assert.deepEqual(one.parts, ['in'])
    assert.doesNotMatch(describeAsText(one), /^parts/m)
  })

  test('has every node once, behind the one that it reads', () => {
    const ids = description.nodes.map(({ id }) => id)
    assert.deepEqual(ids, [
      'from in',
      'filter#1',
      'step a',
      'to out "a"',
      'to copies',
      'from other',
      'step b',
      'map#1',
      'to copies',
    ])
    for (const [i, node] of description.nodes.entries())
      if ('input' in node) assert.ok(ids.slice(0, i).includes(node.input), node.id)
  })

  test('names functions, policies and where each node fails to', () => {
    const node = (id: string) => description.nodes.find(node => node.id === id) as object
    assert.partialDeepStrictEqual(node('from in'), { tombstones: 'drop', replayTopic: 'app.in.replay', key: null })
    assert.partialDeepStrictEqual(node('filter#1'), { function: 'isBright', failsTo: 'both.a.failed-preprocess' })
    assert.partialDeepStrictEqual(node('step a'), {
      batch: { minSize: 4, maxSize: 256, maxWaitMs: 20 },
      models: [{ keys: null, isolation: 'process', timeoutMs: 500, providers: ['cuda', 'cpu'] }],
    })
    assert.partialDeepStrictEqual(node('step b'), { keyed: true, preprocess: [''], postprocess: [] })
    assert.partialDeepStrictEqual(node('map#1'), { failsTo: 'both.b.failed-postprocess' })
    assert.partialDeepStrictEqual(node('to copies'), { partition: 'key', key: null })
  })

  test('tells how rows are grouped, sized and padded', () => {
    const ids = padded(int64(null), { with: 0n, mask: 'mask' })
    const ragged = onnx({ model: 'm.onnx', inputs: { ids }, outputs: { y: float32() } })
    const sizeOf = ({ ids }: { ids: BigInt64Array }) => ids.length
    const batch = { sizeOf, maxTotalSize: 9, bucketBy: { boundaries: [8] }, adaptive: true }
    const stream = from('in', int64(null)).map(ids => ({ ids }))
    const graph = topology('t', [
      stream
        .runInference('s', ragged, { batch })
        .map(() => '')
        .to('out', utf8()),
    ])
    const step = describeTopology(graph).nodes.find(({ id }) => id === 'step s') as object
    assert.partialDeepStrictEqual(step, {
      batch: { sizeOf: 'sizeOf', maxTotalSize: 9, bucketBy: '{"boundaries":[8]}', adaptive: true },
      models: [{ inputs: { ids: 'int64[?] padded, mask mask' } }],
    })
  })

  test('lists each topic once with its role', () => {
    assert.deepEqual(
      description.topics.map(({ role, name }) => `${role} ${name}`),
      [
        'source in',
        'source other',
        'output out "a"',
        'output copies',
        ...['a', 'b'].flatMap(step =>
          ['preprocess', 'inference', 'postprocess'].map(stage => `dead-letters both.${step}.failed-${stage}`),
        ),
        'replay app.in.replay',
        'replay app.other.replay',
        'parked both.parked',
        'audit app.audit',
      ],
    )
  })

  test('shows no password, in any form', () => {
    for (const text of [JSON.stringify(description), describeAsText(description), describeAsMermaid(description)]) {
      assert.ok(!text.includes('swordfish'))
      assert.ok(text.includes('http://***@models/m.onnx'))
    }
  })

  test('as a tree shows branches below what they share', () => {
    const titles = describeAsText(description)
      .split('\n')
      .filter(line => /^(from|[│ ]*[├└]─)/.test(line))
    assert.deepEqual(titles, [
      'from in',
      '└─ filter#1 isBright',
      '   ├─ step a',
      '   │  └─ to out "a"',
      '   └─ to copies',
      'from other',
      '└─ step b (keyed)',
      '   └─ map#1',
      '      └─ to copies',
    ])
  })

  test('as a diagram draws a shared topic once, and quotes what Mermaid would trip over', () => {
    const diagram = describeAsMermaid(description)
    assert.equal(diagram.match(/\(\["copies"\]\)/g)?.length, 1)
    assert.ok(diagram.includes('(["out #quot;a#quot;"])'))
  })
})
