import type { GraphNode, SinkNode, StepNode } from '../graph.ts'
import { deadLetterTopic, type FailedStage } from '../kafka/topic-names.ts'
import type { Topology } from '../topology.ts'
import type { FailurePoint } from './stage.ts'

/** Names the nodes of a graph and says, for each, where its failures go. */
export class FailurePoints {
  readonly #topology: Topology
  readonly #names = new Map<GraphNode | SinkNode, string>()

  constructor(topology: Topology) {
    this.#topology = topology.whole ?? topology
    for (const sink of this.#topology.sinks) this.#nameDown(sink)
  }

  /** A source, map or filter: failed-preprocess of the first step below, else failed-postprocess of the last step above. */
  ofNode(node: GraphNode): FailurePoint {
    const below = this.#topology.sinks.map(sink => firstStepBetween(node, sink)).find(step => step !== undefined)
    if (below) return this.#point(node, below, 'preprocess')
    const above = lastStepAbove(node)
    return above ? this.#point(node, above, 'postprocess') : this.#point(node, this.#topology.steps[0], 'preprocess')
  }

  /** A sink: failed-postprocess of the last step above. */
  ofSink(sink: SinkNode): FailurePoint {
    const above = lastStepAbove(sink.input)
    return above ? this.#point(sink, above, 'postprocess') : this.#point(sink, this.#topology.steps[0], 'preprocess')
  }

  ofStep(step: StepNode, stage: FailedStage): FailurePoint {
    return this.#point(step, step, stage)
  }

  /** `map#2`, `step classify`, `to digits.predictions`. */
  nameOf(node: GraphNode | SinkNode): string {
    return this.#names.get(node) ?? node.kind
  }

  #point(node: GraphNode | SinkNode, step: StepNode | undefined, stage: FailedStage): FailurePoint {
    const topic = deadLetterTopic(this.#topology.name, step?.step, stage)
    return { topic, stage, step: step?.step ?? '', node: this.nameOf(node) }
  }

  #nameDown(node: GraphNode | SinkNode): void {
    if (this.#names.has(node)) return
    if (node.kind !== 'source') this.#nameDown(node.input)
    if (node.kind === 'source') this.#names.set(node, `from ${node.topic}`)
    else if (node.kind === 'to') this.#names.set(node, `to ${node.topic}`)
    else if (node.kind === 'runInference') this.#names.set(node, `step ${node.step}`)
    else
      this.#names.set(
        node,
        `${node.kind}#${[...this.#names.keys()].filter(other => other.kind === node.kind).length + 1}`,
      )
  }
}

/** The step closest to `top` on the way from it down to the sink, `top` itself not counted. */
function firstStepBetween(top: GraphNode, sink: SinkNode): StepNode | undefined {
  let first: StepNode | undefined
  for (let node = sink.input; node !== top; node = node.input) {
    if (node.kind === 'source') return undefined
    if (node.kind === 'runInference') first = node
  }
  return first
}

function lastStepAbove(node: GraphNode): StepNode | undefined {
  for (let above = node; above.kind !== 'source'; above = above.input) if (above.kind === 'runInference') return above
  return undefined
}
