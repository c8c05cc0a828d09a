/** The topology as the page draws it, and which of its edges carry how much: from what is counted, and what follows from that. */
import type { TopologyDescription } from '../describe/description.ts'
import type { GraphEdge, GraphNode, GraphView } from './console-api.ts'

/** Elements a second, by what counts them. What is not there is not known. */
export interface CountedRates {
  /** By topic. */
  readonly read?: ReadonlyMap<string, number>
  readonly written?: ReadonlyMap<string, number>
  /** By step: rows that came to its model, and results. */
  readonly stepIn?: ReadonlyMap<string, number>
  readonly stepOut?: ReadonlyMap<string, number>
}

export interface DrawnGraph {
  readonly view: GraphView
  /** By the id of the edge. */
  rates(counted: CountedRates): Readonly<Record<string, number>>
}

/** Where edges of a node begin, and with which words. */
interface Way {
  readonly from: string
  readonly label?: string
}

const FAILED = 'failed'

export function drawGraph({ nodes: described, topics }: TopologyDescription): DrawnGraph {
  const nodes = new Map<string, GraphNode>()
  const edges = new Map<string, GraphEdge>()
  const ways = new Map<string, Way>()
  /** Nodes that give one element for each that they take. */
  const plain = new Set<string>()
  const letters = new Set(topics.filter(({ role }) => role === 'dead-letters').map(({ name }) => name))
  const between = new Set(topics.filter(({ role }) => role === 'between').map(({ name }) => name))
  const topicNode = (topic: string, kind: GraphNode['kind']): string => {
    const id = `topic ${topic}`
    if (!nodes.has(id)) nodes.set(id, { id, kind, label: topic, topic })
    return id
  }
  const join = ({ from, label }: Way, to: string) => {
    const id = label === undefined ? `${from} > ${to}` : `${from} > ${to}: ${label}`
    edges.set(id, { id, from, to, ...(label === undefined ? {} : { label }) })
  }
  for (const node of described) {
    switch (node.kind) {
      case 'from':
        ways.set(node.id, { from: topicNode(node.topic, node.writtenBy === null ? 'source' : 'through') })
        break
      case 'case':
        ways.set(node.id, { from: ways.get(node.input)!.from, label: node.case })
        break
      case 'failed':
        ways.set(node.id, { from: ways.get(node.input)!.from, label: FAILED })
        break
      case 'to':
        join(ways.get(node.input)!, topicNode(node.topic, between.has(node.topic) ? 'through' : 'sink'))
        break
      default: {
        const kind = node.kind === 'step' || node.kind === 'branch' || node.kind === 'merge' ? node.kind : 'function'
        const name = 'function' in node && node.function !== '' ? `${node.kind} ${node.function}` : node.id
        nodes.set(node.id, { id: node.id, kind, label: node.kind === 'step' ? node.step : name })
        if (node.kind === 'map' || node.kind === 'keyBy') plain.add(node.id)
        for (const input of node.kind === 'merge' ? node.inputs : [node.input]) join(ways.get(input)!, node.id)
        ways.set(node.id, node.kind === 'step' ? { from: node.id, label: 'ok' } : { from: node.id })
        if (node.kind === 'step')
          for (const topic of Object.values(node.failsTo))
            join({ from: node.id, label: FAILED }, topicNode(topic, 'dead-letters'))
      }
    }
  }
  // A topology without steps has one topic of dead letters, for what cannot be read.
  for (const topic of letters) {
    if (nodes.has(`topic ${topic}`)) continue
    const to = topicNode(topic, 'dead-letters')
    for (const { id, kind } of [...nodes.values()]) if (kind === 'source') join({ from: id, label: FAILED }, to)
  }
  const view = { nodes: [...nodes.values()], edges: [...edges.values()] }
  const steps = new Map(described.flatMap(node => (node.kind === 'step' ? [[node.id, node.step] as const] : [])))
  return { view, rates: counted => edgeRates(view, { plain, steps }, counted) }
}

function edgeRates(
  { nodes, edges }: GraphView,
  { plain, steps }: { readonly plain: ReadonlySet<string>; readonly steps: ReadonlyMap<string, string> },
  { read, written, stepIn, stepOut }: CountedRates,
): Readonly<Record<string, number>> {
  const rates = new Map<string, number>()
  const byId = new Map(nodes.map(node => [node.id, node]))
  const into = Map.groupBy(edges, ({ to }) => to)
  const outOf = Map.groupBy(edges, ({ from }) => from)
  const set = (edge: GraphEdge, rate: number | undefined) => {
    if (rate !== undefined && !rates.has(edge.id)) rates.set(edge.id, rate)
  }
  for (const edge of edges) {
    const [from, to] = [byId.get(edge.from)!, byId.get(edge.to)!]
    if (from.topic !== undefined && edge.label !== FAILED) set(edge, read?.get(from.topic))
    if (edge.label === 'ok') set(edge, stepOut?.get(steps.get(from.id)!))
    // What several write is not told apart.
    if (to.topic !== undefined && into.get(to.id)!.length === 1) set(edge, written?.get(to.topic))
    if (to.kind === 'step' && into.get(to.id)!.length === 1) set(edge, stepIn?.get(steps.get(to.id)!))
  }
  // Each round carries what is known one node further; a graph has no cycles.
  for (let known = -1; known < rates.size; ) {
    known = rates.size
    for (const id of plain) {
      const [before] = into.get(id) ?? []
      const after = outOf.get(id) ?? []
      if (before === undefined) continue
      for (const edge of after) set(edge, rates.get(before.id))
      if (after.length > 0) set(before, rates.get(after[0]!.id))
    }
  }
  return Object.fromEntries(rates)
}
