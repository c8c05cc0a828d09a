/** The parts of a topology that can run apart: what shares no node shares no work. */
import { RunInferenceError } from './errors.ts'
import { type GraphNode, nodesAbove, type SinkNode } from './graph.ts'
import type { Topology } from './topology.ts'

export interface TopologyPart {
  /** Its first source topic. */
  readonly name: string
  /** The part alone, under the name and application id of the whole. */
  readonly topology: Topology
}

/** The connected components of the graph, in the order of their first sinks. */
export function topologyParts(topology: Topology): readonly TopologyPart[] {
  const groups: { readonly sinks: Set<SinkNode>; readonly nodes: Set<GraphNode> }[] = []
  for (const sink of topology.sinks) {
    const group = { sinks: new Set([sink]), nodes: new Set(nodesAbove([sink.input])) }
    for (const other of groups.filter(other => shareNode(other.nodes, group.nodes))) {
      for (const each of other.sinks) group.sinks.add(each)
      for (const each of other.nodes) group.nodes.add(each)
      groups.splice(groups.indexOf(other), 1)
    }
    groups.push(group)
  }
  const parts = groups.map(({ sinks, nodes }) => {
    const part = {
      ...topology,
      whole: topology,
      sinks: Object.freeze(topology.sinks.filter(sink => sinks.has(sink))),
      sources: Object.freeze(topology.sources.filter(source => nodes.has(source))),
      steps: Object.freeze(topology.steps.filter(step => nodes.has(step))),
    }
    return { name: part.sources[0]!.topic, topology: Object.freeze(part) }
  })
  const place = ({ topology: part }: TopologyPart) => topology.sinks.indexOf(part.sinks[0]!)
  return parts.sort((a, b) => place(a) - place(b))
}

/** The part of this name. Throws SETTINGS_INVALID with the names that there are. */
export function partOf(topology: Topology, name: string): Topology {
  const parts = topologyParts(topology)
  const part = parts.find(each => each.name === name)
  if (part !== undefined) return part.topology
  const names = parts.map(each => each.name).join(', ')
  throw new RunInferenceError(
    'SETTINGS_INVALID',
    `--part: expected one of the parts of topology "${topology.name}" (${names}), got "${name}"`,
  )
}

function shareNode(a: ReadonlySet<GraphNode>, b: ReadonlySet<GraphNode>): boolean {
  for (const node of a) if (b.has(node)) return true
  return false
}
