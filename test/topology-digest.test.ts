// Both sides of a thread compare digests: what a lane must not take for one another differs in them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, json, keyed, maybeKeyed, onnx, type Sink, topology, utf8 } from 'kafka-run-inference'
import type { ModelHandler } from '../src/models/model-handler.ts'
import { describeGraph, topologyDigest } from '../src/topology.ts'

const rows = from('rows', float32(2))
const pairs = from('pairs', { key: utf8(), value: float32(2) })
const handler = onnx({ model: 'm.onnx', input: float32(2), output: float32(2) })
const all = () => true
const step = (each: ModelHandler<never, unknown>, options = {}) =>
  pairs.runInference('s', each as never, options).to('out', json())

function both<T>(one: T, other: T, build: (value: T) => Sink): readonly [Sink, Sink] {
  return [build(one), build(other)]
}

const cases: Readonly<Record<string, readonly [Sink, Sink]>> = {
  'fan-outs': both(1, 2, maxFanOut => rows.flatMap(row => [row], { maxFanOut }).to('out', float32(2))),
  cases: both({ a: all }, { a: all, b: all }, given => rows.branch(given).a.to('out', float32(2))),
  'ways of a branch': both('a', 'b', name => rows.branch({ a: all, b: all })[name as 'a'].to('out', float32(2))),
  'orders of a merge': both(true, false, first => {
    const mapped = rows.map(row => row)
    return (first ? rows.merge(mapped) : mapped.merge(rows)).to('out', float32(2))
  }),
  keys: both('a', 'b', key => step(keyed([{ keys: [key], handler }]))),
  'types of keys': both<string | number>('1', 1, key => step(keyed([{ keys: [key], handler }]))),
  functions: both(keyed(handler), keyed(handler).withPostprocess(all), step),
  'asynchronous functions': both(1, 2, concurrency =>
    step(keyed(handler).withPostprocess(async result => result, { concurrency })),
  ),
  'threads of functions': both({}, { functions: 'worker' }, options => step(keyed(handler), options)),
  'ways to be keyed': both<ModelHandler<never, unknown>>(keyed(handler), maybeKeyed(handler), step),
  batching: both<ModelHandler<never, unknown>>(handler, handler.withNoBatching(), step),
  'through and from': both(true, false, through =>
    (through ? rows.through('between', float32(2)) : from('between', float32(2))).to('out', float32(2)),
  ),
  'keys of a written topic': both(true, false, isNew => {
    const codecs = { key: utf8(), value: float32(2) }
    return (isNew ? rows.repartition('x', () => 'k', codecs) : pairs.through('x', codecs)).to('out', codecs)
  }),
  'dead letters': both<number | undefined>(0, undefined, index =>
    pairs.runInference('s', keyed(handler)).failed.postprocess(index).to('out', json()),
  ),
}

describe('the digest of a topology', () => {
  for (const [what, [one, other]] of Object.entries(cases)) {
    it(`differs for other ${what}, and is equal for equal graphs`, () => {
      assert.equal(topologyDigest(topology('t', [one])), topologyDigest(topology('t', [one])))
      assert.notEqual(describeGraph(topology('t', [one])), describeGraph(topology('t', [other])))
    })
  }
})
