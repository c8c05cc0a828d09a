/** The ways through a graph: how elements of one source can reach a node. They differ where streams merge, nowhere else. */
import { type GraphNode, inputsOf, type SinkNode, type SourceNode } from '../graph.ts'
import type { Topology } from '../topology.ts'

/**
 * The merges that were passed, the last one first, each by which of its inputs; '' where there was none. Ways of one node sort
 * in declaration order: what comes by the first input of the last merge leaves first.
 */
export type Way = string

/** How the way below dead letters ends: they may come on any way, and leave on this one. */
export const FAILURES: Way = '!'

const MERGE_DIGITS = 4

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
  return node.kind === 'merge' ? `/${String(input).padStart(MERGE_DIGITS, '0')}${way}` : way
}

/** The nodes that elements on this way have passed, this one included; those below dead letters begin with the stream of them. */
export function passedOn(node: GraphNode | SinkNode, way: Way): ReadonlySet<GraphNode | SinkNode> {
  return new Set([node, ...nodesUp(node, way)])
}

/** The nodes above on this way, the closest first. */
export function* nodesUp(node: GraphNode | SinkNode, way: Way): Generator<GraphNode> {
  let at = node
  let rest = way
  while (at.kind !== 'source' && at.kind !== 'failed') {
    let input = 0
    if (at.kind === 'merge') {
      input = Number(rest.slice(1, 1 + MERGE_DIGITS))
      rest = rest.slice(1 + MERGE_DIGITS)
    }
    at = inputsOf(at)[input]!
    yield at
  }
}

/** Every source whose elements can reach a node. */
export function sourcesAbove(node: GraphNode | SinkNode): readonly SourceNode[] {
  if (node.kind === 'source') return [node]
  return [...new Set(inputsOf(node).flatMap(sourcesAbove))]
}
