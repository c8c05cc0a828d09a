import { type GraphNode, inputsOf, type SinkNode, type StepNode } from '../graph.ts'
import { deadLetterTopic, type FailedStage } from '../kafka/topic-names.ts'
import type { Topology } from '../topology.ts'
import type { FailureListener, FailurePoint, FailurePolicy } from './stage.ts'

/** `isAside`: failures of ways without any step go to this one's topic, but nothing that passes there comes to it. */
export type PolicyOf = (step: StepNode | undefined, stage: FailedStage, isAside: boolean) => FailurePolicy | undefined

/** Names the nodes of a graph and says, for each, where its failures go. */
export class FailurePoints {
  readonly #topology: Topology
  readonly #everywhere: readonly FailureListener[]
  readonly #policyOf: PolicyOf
  readonly #policies = new Map<string, FailurePolicy | undefined>()
  readonly #names = new Map<GraphNode | SinkNode, string>()
  readonly #listeners = new Map<string, FailureListener[]>()

  /** `everywhere`: told of every failure. `policyOf`: what failures of a step at this stage are. */
  constructor(topology: Topology, everywhere: readonly FailureListener[] = [], policyOf: PolicyOf = () => undefined) {
    this.#policyOf = policyOf
    this.#topology = topology.whole ?? topology
    this.#everywhere = everywhere
    for (const sink of this.#topology.sinks) this.#nameDown(sink)
  }

  /** A node that is no step: failed-preprocess of the first step below, else failed-postprocess of the last step above. */
  ofNode(node: GraphNode): FailurePoint {
    const below = this.#topology.sinks.map(sink => stepBetween(node, sink)).find(step => step !== undefined)
    if (below) return this.#point(node, below, 'preprocess')
    return this.#pointAbove(node)
  }

  /** A sink: failed-postprocess of the last step above. */
  ofSink(sink: SinkNode): FailurePoint {
    return this.#pointAbove(sink)
  }

  ofStep(step: StepNode, stage: FailedStage): FailurePoint {
    return this.#point(step, step, stage)
  }

  /**
   * Tells of the failures of a step at this stage; not of those below the dead letters of a step that no further step takes:
   * they would go round.
   */
  listen(step: StepNode, stage: FailedStage, listener: FailureListener): void {
    this.#listenersOf(step, stage).push(listener)
  }

  /** `map#2`, `step classify`, `to digits.predictions`. */
  nameOf(node: GraphNode | SinkNode): string {
    return this.#names.get(node) ?? node.kind
  }

  #pointAbove(node: GraphNode | SinkNode): FailurePoint {
    const above = lastStepAbove(node)
    const isQuiet = isBelowFailures(node)
    if (above) return this.#point(node, above, 'postprocess', isQuiet)
    return this.#point(node, this.#topology.steps[0], 'preprocess', isQuiet, true)
  }

  #point(
    node: GraphNode | SinkNode,
    step: StepNode | undefined,
    stage: FailedStage,
    isQuiet = false,
    isAside = false,
  ): FailurePoint {
    const topic = deadLetterTopic(this.#topology.name, step?.step, stage)
    const listeners = step === undefined || isQuiet ? this.#everywhere : this.#listenersOf(step, stage)
    const policy = this.#policy(step, stage, isAside)
    return { topic, stage, step: step?.step ?? '', node: this.nameOf(node), listeners, policy, isAside }
  }

  /** One for all nodes whose failures count together. */
  #policy(step: StepNode | undefined, stage: FailedStage, isAside: boolean): FailurePolicy | undefined {
    const key = `${stage} ${step?.step} ${isAside}`
    if (!this.#policies.has(key)) this.#policies.set(key, this.#policyOf(step, stage, isAside))
    return this.#policies.get(key)
  }

  #listenersOf({ step }: StepNode, stage: FailedStage): FailureListener[] {
    const key = `${stage} ${step}`
    const known = this.#listeners.get(key) ?? [...this.#everywhere]
    this.#listeners.set(key, known)
    return known
  }

  #nameDown(node: GraphNode | SinkNode): void {
    if (this.#names.has(node)) return
    for (const input of inputsOf(node)) this.#nameDown(input)
    this.#names.set(node, this.#nameFor(node))
  }

  #nameFor(node: GraphNode | SinkNode): string {
    if (node.kind === 'source') return `from ${node.topic}`
    if (node.kind === 'to') return `to ${node.topic}`
    if (node.kind === 'runInference') return `step ${node.step}`
    if (node.kind === 'case') return `${this.nameOf(node.input)} ${node.input.cases[node.index]!.name}`
    if (node.kind === 'failed') {
      const { stage, index, input } = node
      return `failed ${stage}${index === undefined ? '' : `(${index})`} of step ${input.step}`
    }
    return `${node.kind}#${[...this.#names.keys()].filter(other => other.kind === node.kind).length + 1}`
  }
}

/** The step closest to `top` on the first way from it down to the sink, `top` itself not counted. */
function stepBetween(top: GraphNode, sink: SinkNode): StepNode | undefined {
  const up = (node: GraphNode | SinkNode): { readonly step: StepNode | undefined } | undefined => {
    if (node === top) return { step: undefined }
    for (const input of inputsOf(node)) {
      const found = up(input)
      if (found) return { step: found.step ?? (node.kind === 'runInference' ? node : undefined) }
    }
    return undefined
  }
  return up(sink)?.step
}

function lastStepAbove(node: GraphNode | SinkNode): StepNode | undefined {
  for (const above of inputsOf(node)) {
    const step = above.kind === 'runInference' ? above : lastStepAbove(above)
    if (step) return step
  }
  return undefined
}

/** True between the dead letters of a step and the next step. */
function isBelowFailures(node: GraphNode | SinkNode): boolean {
  return inputsOf(node).some(
    above => above.kind === 'failed' || (above.kind !== 'runInference' && isBelowFailures(above)),
  )
}
