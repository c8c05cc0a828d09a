/** The ways through a graph: how elements of one source can reach a node. They differ where streams merge, nowhere else. */
import { type GraphNode, inputsOf, type SinkNode, type SourceNode } from '../graph.ts'
import type { Topology } from '../topology.ts'

/** The merges that were passed, each by which of its inputs; '' where there was none. Ways of one node sort in declaration order. */
export type Way = string

export interface Child {
  readonly node: GraphNode | SinkNode
  /** Which input of the child this is; 0 but for merges. */
  readonly input: number
}

/** The children of each node, in the order in which the sinks declare them. */
export function childrenOf(topology: Pick<Topology, 'sinks'>): (node: GraphNode) => readonly Child[] {
  const children = new Map<GraphNode, Child[]>()
  const seen = new Set<GraphNode | SinkNode>()
  const visit = (node: GraphNode | SinkNode): void => {
    if (seen.has(node)) return
    seen.add(node)
    for (const [input, above] of inputsOf(node).entries()) {
      const siblings = children.get(above) ?? []
      siblings.push({ node, input })
      children.set(above, siblings)
      visit(above)
    }
  }
  for (const sink of topology.sinks) visit(sink)
  return node => children.get(node) ?? []
}

/** The way behind a child of a node that was reached on this one. */
export function wayInto({ node, input }: Child, way: Way): Way {
  // Fixed width, so that ways sort as numbers do.
  return node.kind === 'merge' ? `${way}/${String(input).padStart(4, '0')}` : way
}

/** Every source whose elements can reach a node. */
export function sourcesAbove(node: GraphNode | SinkNode): readonly SourceNode[] {
  if (node.kind === 'source') return [node]
  return [...new Set(inputsOf(node).flatMap(sourcesAbove))]
}
