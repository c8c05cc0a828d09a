import type { GraphNode, SinkNode } from '../graph.ts'
import { replayTopic } from '../kafka/topic-names.ts'
import type { FailurePoints } from '../pipeline/failure-points.ts'
import type { Topology } from '../topology.ts'
import { describeStep } from './describe-step.ts'
import type { NodeDescription, SinkDescription } from './node-descriptions.ts'

export function describeNode(node: GraphNode, topology: Topology, points: FailurePoints): NodeDescription {
  const id = points.nameOf(node)
  if (node.kind === 'merge') return { id, kind: 'merge', inputs: node.inputs.map(each => points.nameOf(each)) }
  const failsTo = points.ofNode(node).topic
  if (node.kind === 'source') {
    return {
      id,
      kind: 'from',
      topic: node.topic,
      key: labelOf(node.key),
      value: node.value.label,
      tombstones: node.options.tombstones ?? (node.writtenBy ? 'forward' : 'dead-letter'),
      replayTopic: replayTopic(topology.applicationId, node.topic),
      writtenBy: node.writtenBy ? points.nameOf(node.writtenBy) : null,
      failsTo,
    }
  }
  const input = points.nameOf(node.input)
  switch (node.kind) {
    case 'runInference':
      return describeStep(node, topology.name, { id, input })
    case 'branch':
      return { id, kind: 'branch', input, cases: node.cases.map(({ name }) => name), failsTo }
    case 'case':
      return { id, kind: 'case', input, case: node.input.cases[node.index]!.name }
    case 'failed':
      return { id, kind: 'failed', input, stage: node.stage, index: node.index ?? null }
    default:
      return {
        id,
        kind: node.kind,
        input,
        function: node.fn.name,
        maxFanOut: node.kind === 'flatMap' ? node.maxFanOut : null,
        failsTo,
      }
  }
}

export function describeSink(sink: SinkNode, points: FailurePoints): SinkDescription {
  return {
    id: points.nameOf(sink),
    kind: 'to',
    input: points.nameOf(sink.input),
    topic: sink.topic,
    key: labelOf(sink.key),
    value: sink.value.label,
    keyFrom: sink.newKey ? 'element' : 'source',
    partition: sink.options.partition ?? 'auto',
    failsTo: points.ofSink(sink).topic,
  }
}

function labelOf(codec: { readonly label: string } | undefined): string | null {
  return codec?.label ?? null
}
