import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bytes,
  float32,
  from,
  inference,
  int64,
  json,
  keyed,
  onnx,
  type Sink,
  topology,
  utf8,
} from 'kafka-run-inference'
import type { StepOptions } from '../src/graph.ts'
import type { Codec } from '../src/kafka/codec.ts'
import { problemText } from '../src/problem.ts'
import { assertValid, describeGraph, isTopology, type Topology, topologyDigest } from '../src/topology.ts'
import { topologyProblems } from '../src/topology-problems.ts'

const handler = onnx({ model: 'm.onnx', input: float32(2), output: float32(2) })
const source = from('in', float32(2))
const sink = source.runInference('s', handler).to('out', inference())

const withBatch = (batch: object) =>
  topology('t', [source.runInference('s', handler, { batch } as StepOptions).to('out', inference())])
const withModel = (settings: object) =>
  topology('t', [
    source
      .runInference('s', onnx({ model: 'm', input: float32(2), output: float32(2), ...settings }))
      .to('out', inference()),
  ])
const withSinks = (...sinks: Sink[]) => topology('t', sinks)
const copy = (topic: string, options = {}) => source.to(topic, float32(2), options)

const live = (...sinks: Parameters<typeof withSinks>) =>
  withSinks(source.runInference('live', handler, { modelMetadata: true }).to('lived', inference()), ...sinks)

/** One graph per rule, with what must be said of it. */
const wrong: readonly (readonly [Topology, RegExp])[] = [
  [topology('', [sink]), /topology "": the name cannot be used, expected 1 to 200 letters/],
  [topology('white space', [sink]), /topology "white space": the name cannot/],
  [topology('t', [sink], { applicationId: 'a/b' }), /applicationId cannot be used, .* got "a\/b"/],
  [topology('t', []), /no sinks/],
  [withSinks(sink, source.runInference('s', handler).to('other', inference())), /step "s": two steps have this name/],
  [withSinks(copy('a'), from('in', float32(2)).to('b', float32(2))), /source "in": the topic is read by two from\(\)/],
  [withSinks(from('a b', bytes()).to('out', bytes())), /source "a b": the topic cannot be used/],
  [withSinks(from('..', bytes()).to('out', bytes())), /source "\.\.": the topic cannot be used/],
  [withSinks(copy('in')), /source "in": the topic is read, and is an output topic/],
  [withSinks(copy('x y')), /output "x y": the topic cannot be used/],
  [
    withSinks(from('in', bytes(), { tombstones: 'keep' as never }).to('out', bytes())),
    /tombstones cannot be used, .* got "keep"/,
  ],
  [withSinks(copy('out', { partition: 'random' })), /partition cannot be used, expected source or key, got "random"/],
  [withSinks(sink, copy('t.s.failed-inference')), /"t.s.failed-inference": it is a dead-letter topic/],
  [withSinks(copy('t.failed-preprocess')), /"t.failed-preprocess": it is a dead-letter topic/],
  [withSinks(copy('t.in.replay')), /"t.in.replay": it is a replay topic/],
  [
    withSinks(from('t.failed-preprocess', bytes()).to('out', bytes())),
    /source "t.failed-preprocess": .* is a dead-letter/,
  ],
  [
    withSinks(copy('out'), from('t.in.replay', bytes()).to('out', bytes())),
    /source "t.in.replay": it is a replay topic/,
  ],
  [live(copy('t.model-status')), /output "t.model-status": it is a topic about the models of this application/],
  [live(copy('t.live.shadow')), /output "t.live.shadow": it is a topic about the models of this application/],
  [live(from('t.model-metadata', bytes()).to('out', bytes())), /source "t.model-metadata": it is a topic about the/],
  [withSinks(copy('t.audit')), /output "t.audit": it is a topic that replays of dead letters write/],
  [withSinks(copy('t.parked')), /output "t.parked": it is a topic that replays of dead letters write/],
  [
    withSinks(from('t.parked', bytes()).to('out', bytes())),
    /source "t.parked": it is a topic that replays of dead letters write/,
  ],
  [
    topology('t'.repeat(120), [source.runInference('s'.repeat(120), handler).to('out', inference())]),
    /at most 249 characters, got 259/,
  ],
  [
    withSinks(from('in', json as never).to('out', bytes() as never)),
    /source "in": its value codec is none, .*got the function json. Did you forget \(\)\? Write value: json\(\)/,
  ],
  [withSinks(from('in', 'json' as never).to('out', bytes() as never)), /source "in": .* got "json".* value: json\(\)/],
  [
    withSinks(from('in', undefined as never).to('out', bytes() as never)),
    /source "in": its value codec is none, .* got nothing/,
  ],
  [
    withSinks(from('in', { key: utf8, value: bytes() } as never).to('out', bytes() as never)),
    /its key codec is none, .*utf8/,
  ],
  [withSinks(source.to('out', float32 as never)), /output "out": its value codec is none, .*the function float32/],
  [withSinks(source.to('out', undefined as never)), /output "out": its value codec is none, .* got nothing/],
  [
    withSinks(from('in', inference() as never).to('out', bytes() as never)),
    /source "in": its value codec cannot read, got "inference\(\)"/,
  ],
  [withSinks(source.to('out', inference() as never)), /inference\(\) writes predictions, but no step is above it/],
  [withSinks(source.runInference('a step', handler).to('out', inference())), /step "a step": the name cannot/],
  [
    withSinks(
      source
        .runInference('k', keyed(handler) as never)
        .map(() => new Float32Array(2))
        .to('out', float32(2)),
    ),
    /keyed, but its source has no key codec/,
  ],
  [withModel({ model: '' }), /names no model file/],
  [withModel({ providers: [] }), /providers cannot be used, expected a list of .*; \['cpu'\] is the least/],
  [withModel({ intraOpNumThreads: 0 }), /intraOpNumThreads cannot be used, expected a whole number from 1, got 0/],
  [
    withModel({ input: { dtype: 'float32', shape: [null, null] } }),
    /input "": the shape .* at most one open dimension/,
  ],
  [withModel({ output: { dtype: 'float32', shape: [2.5] } }), /output "": the shape .* whole numbers/],
  [withBatch({ mode: 'neither' }), /batch.mode cannot be used, expected stream or bundle, got "neither"/],
  [withBatch({ maxSize: 0 }), /maxSize .* a whole number from 1 to 32768.* got 0/],
  [withBatch({ maxSize: 40_000 }), /maxSize .* got 40000/],
  [withBatch({ maxSize: 8, minSize: 9, maxWaitMs: 1 }), /minSize .* a whole number from 1 to maxSize \(8\), got 9/],
  [withBatch({ minSize: 2 }), /minSize 2 without maxWaitMs/],
  [withBatch({ maxWaitMs: -1 }), /maxWaitMs .* milliseconds from 0, got -1/],
  [withBatch({ maxWaitMs: Number.POSITIVE_INFINITY }), /maxWaitMs .* got Infinity/],
  [withBatch({ mode: 'bundle', maxWaitMs: 5 }), /bundle batches what one fetch brought/],
]

describe('the problems of a graph', () => {
  for (const [graph, expected] of wrong) {
    it(`say: ${expected.source}`, () => {
      const problems = topologyProblems(graph).map(problemText)
      assert.ok(
        problems.some(problem => expected.test(problem)),
        problems.join('\n') || 'no problems',
      )
      assert.equal(problems.length, 1, problems.join('\n'))
    })
  }

  it('are told all at once, before anything is opened', () => {
    const graph = topology('no name', [
      copy('in'),
      source.runInference('s', handler, { batch: { maxSize: 0 } }).to('o o', inference()),
    ])
    assert.throws(
      () => assertValid(graph),
      (error: Error) => {
        assert.match(error.message, /^\[TOPOLOGY_INVALID\] topology "no name" has 4 problems:/)
        for (const part of ['"no name": the name', 'source "in"', 'maxSize', '"o o"'])
          assert.ok(error.message.includes(part), part)
        return true
      },
    )
  })

  it('are none where all is well: branches, shared topics, several steps, keys that a map makes', () => {
    const fine = [
      withSinks(sink),
      withSinks(sink, copy('out'), copy('copies', { partition: 'key' })),
      withSinks(
        source
          .runInference('a', handler)
          .map(({ inference: row }) => row)
          .runInference('b', handler)
          .to('out', inference()),
      ),
      withBatch({ maxSize: 32_768, minSize: 2, maxWaitMs: 10 }),
      withBatch({ mode: 'bundle', maxSize: 5 }),
    ]
    for (const graph of fine) assert.deepEqual(topologyProblems(graph), [])
  })
})

describe('a topology value', () => {
  it('is immutable, and a stream that is used twice is one node', () => {
    const shared = source.map(row => row)
    const graph = topology('t', [shared.to('a', float32(2)), shared.to('b', float32(2))])
    assert.ok(
      Object.isFrozen(graph) &&
        Object.isFrozen(graph.sinks) &&
        Object.isFrozen(graph.sinks[0]) &&
        Object.isFrozen(shared),
    )
    assert.equal(graph.sources.length, 1)
    assert.equal(graph.sinks[0]!.input, graph.sinks[1]!.input)
    assert.equal(graph.applicationId, 't')
  })

  it('keeps the order of its sinks and finds steps upstream first', () => {
    const one = source.runInference('one', handler)
    const two = one.map(({ inference: row }) => row).runInference('two', handler)
    const graph = topology('t', [two.to('b', inference()), one.to('a', inference())])
    assert.deepEqual(
      graph.sinks.map(({ topic }) => topic),
      ['b', 'a'],
    )
    assert.deepEqual(
      graph.steps.map(({ step }) => step),
      ['one', 'two'],
    )
  })

  it('is recognised, and nothing else is', () => {
    assert.ok(isTopology(topology('t', [sink])))
    for (const other of [undefined, null, 'text', {}, { format: 1 }]) assert.ok(!isTopology(other))
  })

  it('has a digest that changes with its shape, and is equal for equal graphs', () => {
    const build = (topic: string, codec: Codec<string> = utf8()) =>
      topology('t', [
        from('in', { key: utf8(), value: codec })
          .map(({ value }) => value)
          .to(topic, utf8()),
      ])
    assert.equal(topologyDigest(build('a')), topologyDigest(build('a')))
    assert.notEqual(topologyDigest(build('a')), topologyDigest(build('b')))
    assert.match(
      describeGraph(build('a')),
      /^topology t \(application t\)\nn1 from in utf8 utf8\nn2 n1 -> map\nn2 -> to a utf8$/,
    )
  })
})

describe('handlers', () => {
  it('run the preprocess function that was added last first, and postprocess in the order of adding', () => {
    const log: string[] = []
    const note = (name: string) => (value: unknown) => {
      log.push(name)
      return value as never
    }
    const { definition } = onnx({ model: 'm', inputs: { x: int64(1) }, outputs: { y: int64(1) } })
      .withPreprocess(note('inner'))
      .withPreprocess(note('outer'))
      .withPostprocess(note('first'))
      .withPostprocess(note('second'))
    for (const { fn } of [...definition.preprocess, ...definition.postprocess]) fn(0 as never)
    assert.deepEqual(log, ['outer', 'inner', 'first', 'second'])
  })

  it('keyed refuses a handler that has functions, and one that is keyed', () => {
    const open = handler as never
    assert.throws(
      () => keyed(handler.withPostprocess(result => result) as never),
      /TOPOLOGY_INVALID.*without functions/,
    )
    assert.throws(() => keyed(keyed(open) as never), /keyed already/)
  })
})
