// Where the page draws the nodes and edges of a topology; no browser is needed for that.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GraphView } from '../../src/console/console-api.ts'
import { layOut, NODE } from '../../src/console/page/graph-layout.ts'

/** Edges lead from nodes to later ones, as in any topology. */
const graphs: fc.Arbitrary<GraphView> = fc
  .integer({ min: 1, max: 24 })
  .chain(size =>
    fc.record({
      size: fc.constant(size),
      pairs: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 2 * size }),
    }),
  )
  .map(({ size, pairs }) => ({
    nodes: Array.from({ length: size }, (_, i) => ({ id: `n${i}`, kind: 'function', label: `n${i}` })),
    edges: pairs
      .filter(([a, b]) => a !== b)
      .map(([a, b], i) => ({ id: `e${i}`, from: `n${Math.min(a, b)}`, to: `n${Math.max(a, b)}` })),
  }))

test('L1: every edge leads to the right, from its node to its node', () => {
  fc.assert(
    fc.property(graphs, graph => {
      const { nodes, edges } = layOut(graph)
      for (const { id, from, to } of graph.edges) {
        const points = edges.get(id)!
        const [start, end] = [nodes.get(from)!, nodes.get(to)!]
        assert.deepEqual(points[0], { x: start.x + NODE.width, y: start.y + NODE.height / 2 })
        assert.deepEqual(points.at(-1), { x: end.x, y: end.y + NODE.height / 2 })
        for (const [i, { x }] of points.slice(1).entries()) assert.ok(x > points[i]!.x)
      }
    }),
  )
})

test('L2: nothing overlaps, and everything lies within the drawing', () => {
  fc.assert(
    fc.property(graphs, graph => {
      const { nodes, edges, width, height } = layOut(graph)
      const boxes = [...nodes.values()]
      for (const { x, y } of boxes) {
        assert.ok(x >= 0 && x + NODE.width <= width)
        assert.ok(y >= -1e-6 && y + NODE.height <= height + 1e-6)
      }
      for (const [i, a] of boxes.entries())
        for (const b of boxes.slice(i + 1)) assert.ok(a.x !== b.x || Math.abs(a.y - b.y) >= NODE.height - 1e-6)
      for (const points of edges.values())
        for (const place of points.slice(1, -1))
          for (const { x, y } of boxes.filter(box => box.x === place.x))
            assert.ok(place.y < y || place.y > y + NODE.height, `an edge crosses the node at ${x}, ${y}`)
    }),
  )
})

test('L3: the same graph is always drawn alike', () => {
  fc.assert(fc.property(graphs, graph => assert.deepEqual(layOut(graph), layOut(structuredClone(graph)))))
})

test('a cycle, which no topology has, is drawn somehow', () => {
  const graph: GraphView = {
    nodes: ['a', 'b'].map(id => ({ id, kind: 'function', label: id })),
    edges: [
      { id: '1', from: 'a', to: 'b' },
      { id: '2', from: 'b', to: 'a' },
    ],
  }
  assert.equal(layOut(graph).nodes.size, 2)
})
