import { createHash } from 'node:crypto'
import { type GraphNode, inputsOf, type SinkNode, type SourceNode, type StepNode } from './graph.ts'
import type { ModuleRef } from './models/executor.ts'
import type { HandlerFunction } from './models/model-handler.ts'
import { problemsError, show } from './problem.ts'
import type { Sink } from './stream.ts'
import { topologyProblems } from './topology-problems.ts'

/** Bumped when a topology value of one version of this package cannot be read by another. */
const FORMAT = 1

export interface TopologyOptions {
  /** Group id and prefix of internal topics; default: the topology's name. */
  readonly applicationId?: string
  /** Every output carries the header `kri-source` = topic/partition/offset of its record; default true. */
  readonly provenance?: boolean
}

/** A whole graph as a value: `run`, `topics`, the test driver and lanes read the same one. */
export interface Topology {
  readonly format: typeof FORMAT
  readonly name: string
  readonly applicationId: string
  readonly provenance: boolean
  /** In declaration order, the order of branches (I2); outputs that the topology reads again stand before those below them. */
  readonly sinks: readonly SinkNode[]
  /** In the order in which the sinks reach them. */
  readonly sources: readonly SourceNode[]
  readonly steps: readonly StepNode[]
  /** Of a part that runs alone: what it is a part of, whose names its dead letters carry. */
  readonly whole?: Topology
  /** Where it was imported from; lanes import it again for handlers and functions that users wrote. */
  readonly module?: ModuleRef
}

/**
 * Collects the graph above the sinks. Never throws for what the graph says: `assertValid` (and every command) reports all
 * problems at once, before any connection.
 */
export function topology(name: string, sinks: readonly Sink[], options: TopologyOptions = {}): Topology {
  const graph = { nodes: new Set<GraphNode>(), sinks: new Set<SinkNode>() }
  for (const sink of sinks) collect(sink.node, graph)
  const all = [...graph.nodes]
  return Object.freeze({
    format: FORMAT,
    name,
    applicationId: options.applicationId ?? name,
    provenance: options.provenance ?? true,
    sinks: Object.freeze([...graph.sinks]),
    sources: Object.freeze(all.filter(node => node.kind === 'source')),
    steps: Object.freeze(all.filter(node => node.kind === 'runInference')),
  })
}

interface Collected {
  readonly nodes: Set<GraphNode>
  readonly sinks: Set<SinkNode>
}

/** Adds what is above and including this node, upstream first. */
function collect(node: GraphNode | SinkNode, into: Collected): void {
  if (node.kind === 'to' ? into.sinks.has(node) : into.nodes.has(node)) return
  if (node.kind === 'source' && node.writtenBy) collect(node.writtenBy, into)
  for (const input of inputsOf(node)) collect(input, into)
  if (node.kind === 'to') into.sinks.add(node)
  else into.nodes.add(node)
}

/** True for what `topology()` returned, also in another copy of this package. */
export function isTopology(value: unknown): value is Topology {
  return typeof value === 'object' && value !== null && (value as Topology).format === FORMAT && 'sinks' in value
}

/** Throws TOPOLOGY_INVALID with all problems at once. */
export function assertValid(value: Topology): void {
  const problems = topologyProblems(value)
  if (problems.length > 0) throw problemsError('TOPOLOGY_INVALID', `topology "${value.name}" has`, problems)
}

/** The shape of the graph as text: equal on both sides of a process border when both imported the same module. */
export function describeGraph(value: Topology): string {
  const ids = new Map<GraphNode, string>()
  const lines = [`topology ${value.name} (application ${value.applicationId})`]
  const idOf = (node: GraphNode): string => {
    const known = ids.get(node)
    if (known !== undefined) return known
    const above = inputsOf(node).map(idOf).join(', ')
    const id = `n${ids.size + 1}`
    ids.set(node, id)
    lines.push(`${id} ${above ? `${above} -> ` : ''}${describeNode(node)}`)
    return id
  }
  for (const sink of value.sinks) lines.push(`${idOf(sink.input)} -> ${describeSink(sink)}`)
  return lines.join('\n')
}

function describeSink({ topic, key, value, newKey }: SinkNode): string {
  return `to ${topic} ${newKey ? 'new key ' : ''}${key ? `${key.label} ` : ''}${value.label}`
}

/** Functions cannot be compared, so what there is of them is counted. */
function describeNode(node: GraphNode): string {
  switch (node.kind) {
    case 'source':
      return `from ${node.topic} ${node.key ? `${node.key.label} ` : ''}${node.value.label}${node.writtenBy ? ' again' : ''}`
    case 'flatMap':
      return `flatMap ${node.maxFanOut}`
    case 'branch':
      return `branch ${node.cases.map(({ name }) => name).join(', ')}`
    case 'case':
      return `case ${node.input.cases[node.index]?.name}`
    case 'failed':
      return `failed ${node.stage} ${node.index ?? 'any'}`
    case 'runInference':
      return describeStep(node)
    default:
      return node.kind
  }
}

function describeStep({ step, handler, options }: StepNode): string {
  const { cohorts, keyed, batching, preprocess, postprocess } = handler
  const models = cohorts.map(
    ({ keys, model }) => `${keys ? `${keys.map(show).join(' ')}: ` : ''}${model.kind}(${model.uri})`,
  )
  const functions = (list: readonly HandlerFunction[]) =>
    [list.length, ...list.map(({ concurrency }) => (concurrency === undefined ? [] : `async ${concurrency}`))]
      .flat()
      .join(' ')
  return [
    `runInference ${step}`,
    ...(keyed ? [keyed === 'maybe' ? 'maybe keyed' : 'keyed'] : []),
    ...(batching ? [] : ['no batching']),
    ...models,
    `preprocess ${functions(preprocess)}, postprocess ${functions(postprocess)}`,
    ...(options.functions === 'worker' ? ['in a worker'] : []),
    ...(options.modelMetadata === true ? ['models published'] : []),
  ].join(' ')
}

/** A short fingerprint of the graph. */
export function topologyDigest(value: Topology): string {
  return createHash('sha256').update(describeGraph(value)).digest('hex').slice(0, 16)
}
