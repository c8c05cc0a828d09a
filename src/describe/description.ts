/** A topology as plain data: the shape of `kri describe --json`, from which its text and its diagram are made. */
import { withoutCredentials } from '../credentials.ts'
import type { GraphNode, SinkNode, StepNode } from '../graph.ts'
import { deadLetterTopic, deadLetterTopics, replayTopic } from '../kafka/topic-names.ts'
import type { OnnxModel, UserFunction } from '../models/model-handler.ts'
import { showSpec, type TensorSpec } from '../models/tensors.ts'
import type { ParameterDescription } from '../parameters.ts'
import { batchPolicy } from '../pipeline/batch-policy.ts'
import { FailurePoints } from '../pipeline/failure-points.ts'
import { type Topology, topologyDigest } from '../topology.ts'
import { topologyParts } from '../topology-parts.ts'

/** Bumped when a field goes away or changes its meaning; new fields may come at any time. */
const FORMAT = 1

export interface TopologyDescription {
  readonly format: typeof FORMAT
  readonly name: string
  /** The consumer group. */
  readonly applicationId: string
  /** Equal for equal graphs. */
  readonly digest: string
  /** Whether outputs carry `kri-source`. */
  readonly provenance: boolean
  /** What the module takes as --param, and has here. */
  readonly parameters: readonly ParameterDescription[]
  /** Each behind the one that it reads. */
  readonly nodes: readonly NodeDescription[]
  readonly topics: readonly TopicDescription[]
  /** What `kri run --part` can run alone, each named after its first source topic; one is the whole. */
  readonly parts: readonly string[]
}

export interface TopicDescription {
  readonly name: string
  readonly role: 'source' | 'output' | 'dead-letters' | 'replay'
}

export type NodeDescription = SourceDescription | FunctionDescription | StepDescription | SinkDescription

interface Named {
  /** What the header `kri-node` of its dead letters says, e.g. `map#1`. */
  readonly id: string
}

export interface SourceDescription extends Named {
  readonly kind: 'from'
  readonly topic: string
  /** Label of the codec; null: elements are the bare values. */
  readonly key: string | null
  readonly value: string
  readonly tombstones: string
  readonly replayTopic: string
  /** Where records go that cannot be decoded. */
  readonly failsTo: string
}

export interface FunctionDescription extends Named {
  readonly kind: 'map' | 'filter'
  readonly input: string
  /** The function's name, '' when it has none. */
  readonly function: string
  readonly failsTo: string
}

export interface StepDescription extends Named {
  readonly kind: 'step'
  readonly input: string
  readonly step: string
  readonly keyed: boolean
  /** Names of the functions in execution order, '' for those without. */
  readonly preprocess: readonly string[]
  readonly postprocess: readonly string[]
  readonly model: {
    readonly kind: string
    readonly uri: string
    /** Row shapes by name, e.g. `float32[64]`; '' is the only one. */
    readonly inputs: Readonly<Record<string, string>>
    readonly outputs: Readonly<Record<string, string>>
    readonly providers: readonly string[]
    readonly providerPolicy: string
    readonly isolation: string
    readonly intraOpNumThreads: number
    /** Null: until the lane counts as stuck. */
    readonly timeoutMs: number | null
  }
  /** With its defaults; a function stands as its name. */
  readonly batch: Readonly<Record<string, string | number | boolean>>
  readonly failsTo: { readonly preprocess: string; readonly inference: string; readonly postprocess: string }
}

export interface SinkDescription extends Named {
  readonly kind: 'to'
  readonly input: string
  readonly topic: string
  /** Label of the codec that checks the key; null: the key is not looked at. Key bytes are always carried unchanged. */
  readonly key: string | null
  readonly value: string
  /** `auto`: that of the source where both topics have equally many, else murmur2 of the key. */
  readonly partition: 'auto' | 'source' | 'key'
  readonly failsTo: string
}

export function describeTopology(
  topology: Topology,
  parameters: readonly ParameterDescription[] = [],
): TopologyDescription {
  const { name, applicationId, provenance, sources, sinks, steps } = topology
  const points = new FailurePoints(topology)
  const nodes = new Map<GraphNode, NodeDescription>()
  const visit = (node: GraphNode): void => {
    if (nodes.has(node)) return
    if (node.kind !== 'source') visit(node.input)
    nodes.set(node, describeNode(node, topology, points))
  }
  const described = sinks.flatMap(sink => {
    const before = nodes.size
    visit(sink.input)
    return [...[...nodes.values()].slice(before), describeSink(sink, points)]
  })
  const roles: [TopicDescription['role'], readonly string[]][] = [
    ['source', sources.map(({ topic }) => topic)],
    ['output', [...new Set(sinks.map(({ topic }) => topic))]],
    [
      'dead-letters',
      deadLetterTopics(
        name,
        steps.map(({ step }) => step),
      ),
    ],
    ['replay', sources.map(({ topic }) => replayTopic(applicationId, topic))],
  ]
  return {
    format: FORMAT,
    name,
    applicationId,
    digest: topologyDigest(topology),
    provenance,
    parameters,
    nodes: described,
    topics: roles.flatMap(([role, names]) => names.map(name => ({ name, role }))),
    parts: topologyParts(topology).map(part => part.name),
  }
}

function describeNode(node: GraphNode, topology: Topology, points: FailurePoints): NodeDescription {
  const id = points.nameOf(node)
  if (node.kind === 'runInference') return describeStep(node, id, topology, points)
  const failsTo = points.ofNode(node).topic
  if (node.kind !== 'source')
    return { id, kind: node.kind, input: points.nameOf(node.input), function: nameOf(node.fn), failsTo }
  return {
    id,
    kind: 'from',
    topic: node.topic,
    key: labelOf(node.key),
    value: node.value.label,
    tombstones: node.options.tombstones ?? 'dead-letter',
    replayTopic: replayTopic(topology.applicationId, node.topic),
    failsTo,
  }
}

function describeStep(node: StepNode, id: string, { name }: Topology, points: FailurePoints): StepDescription {
  const { model, keyed, preprocess, postprocess } = node.handler
  const { sizeOf, bucketBy, adaptive, ...limits } = node.options.batch ?? {}
  const batch = Object.entries({ ...batchPolicy(limits), sizeOf, bucketBy, adaptive }).filter(
    ([, value]) => value !== undefined,
  )
  return {
    id,
    kind: 'step',
    input: points.nameOf(node.input),
    step: node.step,
    keyed,
    preprocess: preprocess.map(nameOf),
    postprocess: postprocess.map(nameOf),
    model: {
      kind: model.kind,
      uri: withoutCredentials(model.uri),
      inputs: showInputs(model),
      outputs: showSpecs(model.outputs),
      providers: model.providers,
      providerPolicy: model.providerPolicy,
      isolation: model.isolation,
      intraOpNumThreads: model.intraOpNumThreads,
      timeoutMs: model.timeoutMs ?? null,
    },
    batch: Object.fromEntries(batch.map(([option, value]) => [option, plain(value)])),
    failsTo: {
      preprocess: deadLetterTopic(name, node.step, 'preprocess'),
      inference: deadLetterTopic(name, node.step, 'inference'),
      postprocess: deadLetterTopic(name, node.step, 'postprocess'),
    },
  }
}

function describeSink(sink: SinkNode, points: FailurePoints): SinkDescription {
  return {
    id: points.nameOf(sink),
    kind: 'to',
    input: points.nameOf(sink.input),
    topic: sink.topic,
    key: labelOf(sink.key),
    value: sink.value.label,
    partition: sink.options.partition ?? 'auto',
    failsTo: points.ofSink(sink).topic,
  }
}

function showInputs({ inputs, padding = {} }: OnnxModel): Record<string, string> {
  const padded = Object.entries(padding).map(([name, { mask }]) => {
    return [name, `${showSpec(inputs[name]!)} padded${mask === undefined ? '' : `, mask ${mask}`}`] as const
  })
  return { ...showSpecs(inputs), ...Object.fromEntries(padded) }
}

function showSpecs(specs: Readonly<Record<string, TensorSpec>>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, showSpec(spec)]))
}

function labelOf(codec: { readonly label: string } | undefined): string | null {
  return codec?.label ?? null
}

function nameOf(fn: UserFunction): string {
  return fn.name
}

function plain(value: unknown): string | number | boolean {
  if (typeof value === 'function') return value.name || 'function'
  return typeof value === 'number' || typeof value === 'boolean'
    ? value
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
}
