/**
 * What a replayed dead letter does over again. Its headers say where the record failed: its outputs on other branches were
 * written then, and must not be written twice.
 *
 * R1. The mark is the node that failed, when the graph still has it with dead letters of the same step and stage; else the step.
 *     For a step behind a topic that is written and read again, it is what writes that topic.
 * R2. Outputs are emitted on the ways that pass the mark, and those of streams of dead letters; all others are computed in silence.
 * R3. Failures of nodes above, at and below the mark are dead letters; those beside it are silent.
 * R4. A record that ends without having come to the mark, and without a dead letter, is one: REPLAY_DIVERGED.
 * R5. Without these headers a record goes everywhere.
 */
import { type GraphNode, nodesAbove, type SinkNode, type SourceNode, type StepNode } from '../graph.ts'
import { KRI_NODE, KRI_STAGE, KRI_STEP } from '../kafka/headers.ts'
import type { Header } from '../kafka/record-block.ts'
import type { Topology } from '../topology.ts'
import type { Outlet } from './compile.ts'
import type { FailurePoints } from './failure-points.ts'
import { childrenOf, FAILURES, passedOn } from './graph-ways.ts'
import type { FailurePoint } from './stage.ts'

type Node = GraphNode | SinkNode

export interface ReplayMark {
  readonly nodes: readonly Node[]
  /** Columns of the outputs that are emitted. */
  readonly outlets: ReadonlySet<number>
  /** Names of the nodes whose failures are dead letters. */
  readonly heard: ReadonlySet<string>
  /** Where a record goes that does not come to the mark, and why. */
  readonly diverged: FailurePoint
  readonly reason: string
}

export class ReplayMarks {
  readonly #whole: Topology
  readonly #outlets: readonly Outlet[]
  readonly #points: FailurePoints
  readonly #children: ReturnType<typeof childrenOf>
  readonly #known = new Map<string, ReplayMark>()

  constructor(topology: Topology, outlets: readonly Outlet[], points: FailurePoints) {
    this.#whole = topology.whole ?? topology
    this.#outlets = outlets
    this.#points = points
    this.#children = childrenOf(this.#whole)
  }

  /** The mark of a record of this source's replay topic; undefined when everything is done over again. */
  of(source: SourceNode, headers: readonly Header[]): ReplayMark | undefined {
    const text = (name: string) => headers.findLast(([other]) => other === name)?.[1]?.toString() ?? ''
    const [step, node, stage] = [text(KRI_STEP), text(KRI_NODE), text(KRI_STAGE)]
    if (step === '' && node === '') return undefined
    const key = JSON.stringify([source.topic, step, node, stage])
    const known = this.#known.get(key)
    if (known) return known
    const nodes = this.#nodesFor(source, step, node, stage)
    if (nodes.length === 0 && step === '') return undefined
    const mark = this.#make(source, step, nodes)
    // Headers may say anything; what they find is bounded by the graph.
    if (nodes.length > 0) this.#known.set(key, mark)
    return mark
  }

  #nodesFor(source: SourceNode, step: string, node: string, stage: string): readonly Node[] {
    const below = this.#below([source])
    const failed = [...below].filter(each => this.#points.nameOf(each) === node && this.#failsFor(each, step, stage))
    if (failed.length > 0) return failed
    const steps = [...below].filter(each => each.kind === 'runInference' && each.step === step)
    if (steps.length > 0) return steps
    const target = this.#stepNamed(step)
    return target ? [...below].filter(each => each.kind === 'to' && this.#leadsTo(each, target)) : []
  }

  #failsFor(node: Node, step: string, stage: string): boolean {
    if (node.kind === 'runInference') return node.step === step
    const point = node.kind === 'to' ? this.#points.ofSink(node) : this.#points.ofNode(node)
    return point.step === step && (stage === '' || point.stage === stage)
  }

  #leadsTo(sink: SinkNode, step: StepNode): boolean {
    return this.#whole.sources.some(source => {
      if (source.writtenBy !== sink) return false
      const below = this.#below([source])
      return below.has(step) || [...below].some(each => each.kind === 'to' && this.#leadsTo(each, step))
    })
  }

  #make(source: SourceNode, step: string, nodes: readonly Node[]): ReplayMark {
    const target = this.#stepNamed(step)
    const above = nodesAbove(nodes.flatMap(node => (node.kind === 'to' ? [node.input] : [node])))
    const from = `it is a dead letter of ${step === '' ? nodes.map(node => this.#points.nameOf(node)) : `step "${step}"`}`
    const lost = target === undefined && step !== '' ? 'which the topology does not have any more' : undefined
    return {
      nodes,
      outlets: new Set(
        this.#outlets
          .filter(({ node, way }) => {
            const passed = passedOn(node, way)
            return way.includes(FAILURES) || nodes.some(each => passed.has(each))
          })
          .map(({ column }) => column),
      ),
      heard: new Set([...above, ...this.#below(nodes)].map(node => this.#points.nameOf(node))),
      diverged: target ? this.#points.ofStep(target, 'preprocess') : this.#points.ofNode(source),
      reason: `${from}, ${lost ?? 'and its way does not lead there any more: it was filtered out, or took another branch'}`,
    }
  }

  #below(tops: readonly Node[]): ReadonlySet<Node> {
    const found = new Set<Node>()
    const descend = (node: Node): void => {
      if (found.has(node)) return
      found.add(node)
      if (node.kind !== 'to') for (const child of this.#children(node)) descend(child.node)
    }
    for (const node of tops) descend(node)
    return found
  }

  #stepNamed(step: string): StepNode | undefined {
    return this.#whole.steps.find(node => node.step === step)
  }
}
