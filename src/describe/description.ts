/** A topology as plain data: the shape of `kri describe --json`, from which its text and its diagram are made. */
import { consumerGroups } from '../consumer-groups.ts'
import { type GraphNode, inputsOf } from '../graph.ts'
import { modelTopics, shadowTopics } from '../kafka/model-topics.ts'
import { auditTopic, deadLetterTopics, parkedTopic, replayTopic } from '../kafka/topic-names.ts'
import type { ParameterDescription } from '../parameters.ts'
import { FailurePoints } from '../pipeline/failure-points.ts'
import { type Topology, topologyDigest } from '../topology.ts'
import { topologyParts } from '../topology-parts.ts'
import { describeNode, describeSink } from './describe-node.ts'
import type { NodeDescription } from './node-descriptions.ts'

/** Bumped when a field goes away or changes its meaning; new fields may come at any time. */
const FORMAT = 2

export interface TopologyDescription {
  readonly format: typeof FORMAT
  readonly name: string
  readonly applicationId: string
  /** The consumer groups, each with the topics that it reads. */
  readonly groups: readonly { readonly id: string; readonly topics: readonly string[] }[]
  /** Equal for equal graphs. */
  readonly digest: string
  /** Whether outputs carry `kri-source`. */
  readonly provenance: boolean
  /** What the module takes as --param, and has here. */
  readonly parameters: readonly ParameterDescription[]
  /** Each behind those that it reads. */
  readonly nodes: readonly NodeDescription[]
  readonly topics: readonly TopicDescription[]
  /** What `kri run --part` can run alone, each named after its first source topic; one is the whole. */
  readonly parts: readonly string[]
}

export interface TopicDescription {
  readonly name: string
  /** `between`: written and read by this topology (`through`, `repartition`). `models`: what is published, what instances say of it, and what shadows score. `parked`: dead letters that were replayed too often. `audit`: what replays have done. */
  readonly role: 'source' | 'between' | 'output' | 'dead-letters' | 'replay' | 'models' | 'parked' | 'audit'
}

export function describeTopology(
  topology: Topology,
  parameters: readonly ParameterDescription[] = [],
): TopologyDescription {
  const { name, applicationId, provenance, sinks } = topology
  const points = new FailurePoints(topology)
  const nodes = new Map<GraphNode, NodeDescription>()
  const visit = (node: GraphNode): void => {
    if (nodes.has(node)) return
    for (const above of inputsOf(node)) visit(above)
    nodes.set(node, describeNode(node, topology, points))
  }
  const described = sinks.flatMap(sink => {
    const before = nodes.size
    visit(sink.input)
    return [...[...nodes.values()].slice(before), describeSink(sink, points)]
  })
  return {
    format: FORMAT,
    name,
    applicationId,
    groups: consumerGroups(topology).map(({ id, sources }) => ({ id, topics: sources.map(({ topic }) => topic) })),
    digest: topologyDigest(topology),
    provenance,
    parameters,
    nodes: described,
    topics: describeTopics(topology),
    parts: topologyParts(topology).map(part => part.name),
  }
}

function describeTopics({ name, applicationId, sources, sinks, steps }: Topology): TopicDescription[] {
  const between = sources.flatMap(({ topic, writtenBy }) => (writtenBy ? [topic] : []))
  const outside = (topics: readonly string[]) => [...new Set(topics.filter(topic => !between.includes(topic)))]
  const stepNames = steps.map(({ step }) => step)
  const roles: [TopicDescription['role'], readonly string[]][] = [
    ['source', outside(sources.map(({ topic }) => topic))],
    ['between', between],
    ['output', outside(sinks.map(({ topic }) => topic))],
    ['dead-letters', deadLetterTopics(name, stepNames)],
    ['replay', sources.map(({ topic }) => replayTopic(applicationId, topic))],
    ['models', [...modelTopics({ applicationId, steps }), ...shadowTopics({ name, steps })]],
    ['parked', [parkedTopic(name)]],
    ['audit', [auditTopic(applicationId)]],
  ]
  return roles.flatMap(([role, names]) => names.map(name => ({ name, role })))
}
