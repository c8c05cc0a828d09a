import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, onnx, topology } from 'kafka-run-inference'
import { type GraphNode, inputsOf } from '../../src/graph.ts'
import { FailurePoints } from '../../src/pipeline/failure-points.ts'
import type { Topology } from '../../src/topology.ts'

const handler = onnx({ model: 'm', input: float32(2), output: float32(2) })
const row = float32(2)
const same = (value: Float32Array) => value
const rowOf = ({ inference }: { readonly inference: Float32Array }) => inference

/** `topic` where failures of each node go, by the node's name. */
function pointsOf(graph: Topology): Record<string, string> {
  const points = new FailurePoints(graph)
  const found: Record<string, string> = {}
  const visit = (node: GraphNode) => {
    for (const above of inputsOf(node)) visit(above)
    if (node.kind === 'runInference') {
      for (const stage of ['preprocess', 'inference', 'postprocess'] as const)
        found[`${points.nameOf(node)} ${stage}`] = points.ofStep(node, stage).topic
    } else found[points.nameOf(node)] = points.ofNode(node).topic
  }
  for (const sink of graph.sinks) {
    visit(sink.input)
    const point = points.ofSink(sink)
    found[points.nameOf(sink)] = point.topic
    assert.ok(point.topic.endsWith(`failed-${point.stage}`), 'topic and stage agree')
  }
  return found
}

const step = (name: string) => ({
  [`step ${name} preprocess`]: `t.${name}.failed-preprocess`,
  [`step ${name} inference`]: `t.${name}.failed-inference`,
  [`step ${name} postprocess`]: `t.${name}.failed-postprocess`,
})

describe('where failures go', () => {
  it('functions before a step: failed-preprocess of it; behind it: failed-postprocess of it', () => {
    const graph = topology('t', [
      from('in', row)
        .map(same)
        .filter(() => true)
        .runInference('s', handler)
        .map(rowOf)
        .filter(() => true)
        .to('out', row),
    ])
    assert.deepEqual(pointsOf(graph), {
      'from in': 't.s.failed-preprocess',
      'map#1': 't.s.failed-preprocess',
      'filter#1': 't.s.failed-preprocess',
      ...step('s'),
      'map#2': 't.s.failed-postprocess',
      'filter#2': 't.s.failed-postprocess',
      'to out': 't.s.failed-postprocess',
    })
  })

  it('between two steps: failed-preprocess of the one below', () => {
    const graph = topology('t', [
      from('in', row).runInference('a', handler).map(rowOf).runInference('b', handler).map(rowOf).to('out', row),
    ])
    const points = pointsOf(graph)
    assert.equal(points['map#1'], 't.b.failed-preprocess')
    assert.equal(points['map#2'], 't.b.failed-postprocess')
  })

  it('above a fork: the first step below in the order of the sinks', () => {
    const shared = from('in', row).map(same)
    const one = shared.runInference('one', handler).to('out-1', row as never)
    const two = shared.runInference('two', handler).to('out-2', row as never)
    assert.equal(pointsOf(topology('t', [two, one]))['map#1'], 't.two.failed-preprocess')
    assert.equal(pointsOf(topology('t', [one, two]))['from in'], 't.one.failed-preprocess')
  })

  it('a branch without a step beside one that has: the first step takes what no step is near', () => {
    const shared = from('in', row).map(same)
    const plain = shared.map(same).to('plain', row)
    const labels = shared.runInference('s', handler).to('labels', row as never)
    const points = pointsOf(topology('t', [plain, labels]))
    assert.equal(points['map#1'], 't.s.failed-preprocess')
    assert.equal(points['map#2'], 't.s.failed-preprocess')
    assert.equal(points['to plain'], 't.s.failed-preprocess')
    assert.equal(points['to labels'], 't.s.failed-postprocess')
  })

  it('without any step: <topology>.failed-preprocess', () => {
    const points = pointsOf(topology('t', [from('in', row).map(same).to('out', row)]))
    assert.deepEqual(new Set(Object.values(points)), new Set(['t.failed-preprocess']))
  })
})
