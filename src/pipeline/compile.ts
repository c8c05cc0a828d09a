/**
 * Turns a topology value into running stages, one tree per source, in data-flow order. Below a merge every way that leads
 * there has stages of its own, so the order of outputs is fixed when the graph is built; a step is one for all its ways, so
 * that they share batches: the number of the way (route) travels with the rows.
 */
import type { FailedNode, GraphNode, SinkNode, SourceNode, StepNode } from '../graph.ts'
import type { RowDecoder, RowEncoder } from '../kafka/codec.ts'
import type { Signature } from '../models/executor.ts'
import { kv } from '../records.ts'
import type { Topology } from '../topology.ts'
import { type CompiledStep, compileStep, type StepCompiler } from './compile-step.ts'
import { failuresAsStream } from './failed-stream.ts'
import type { FailurePoints } from './failure-points.ts'
import { branchStage, type Delivery, type Drop, filterStage, flatMapStage, functionStage } from './functions.ts'
import { type Child, childrenOf, FAILURES, nodesUp, passedOn, sourcesAbove, type Way, wayInto } from './graph-ways.ts'
import type { RunningFunctions } from './running-functions.ts'
import { SinkStage } from './sink-stage.ts'
import { SourceStage } from './source-stage.ts'
import { type FailurePoint, fork, type Stage } from './stage.ts'
import { StepEntry } from './step-input.ts'
import type { WorkBlock } from './work-block.ts'

/** What was opened for the graph before it is compiled. */
export interface OpenedParts {
  readonly decoders: ReadonlyMap<
    SourceNode,
    { readonly key: RowDecoder<unknown> | undefined; readonly value: RowDecoder<unknown> }
  >
  readonly encoders: ReadonlyMap<
    SinkNode,
    { readonly key: RowEncoder<unknown> | undefined; readonly value: RowEncoder<unknown> }
  >
  /** For each model of a step's handler. */
  readonly signatures: ReadonlyMap<StepNode, readonly Signature[]>
  /** Largest value, in bytes, that the output topic takes. */
  readonly maxValueBytes: ReadonlyMap<SinkNode, number>
}

export interface CompileHooks {
  readonly now: () => number
  readonly onStaged: () => void
  /** What is told of the drops of a node whose failures would go there. */
  readonly droppedBy: (node: string, point: FailurePoint) => (work: WorkBlock) => void
  readonly functions: RunningFunctions
}

/** A sink as one way reaches it: its outputs have a column of their own. */
export interface Outlet {
  readonly node: SinkNode
  /** Index in a block's columns. */
  readonly column: number
  readonly way: Way
}

export interface CompiledGraph {
  readonly sources: ReadonlyMap<SourceNode, SourceStage>
  readonly steps: readonly CompiledStep[]
  /** In the order in which outputs of one record leave: that of the sinks, then that of the ways (I2). */
  readonly outlets: readonly Outlet[]
}

export function compile(
  topology: Topology,
  parts: OpenedParts,
  points: FailurePoints,
  hooks: CompileHooks,
): CompiledGraph {
  const below = childrenOf(topology)
  const stages = new Map<GraphNode | SinkNode, Map<Way, Stage>>()
  const steps = new Map<StepNode, StepCompiler>()
  const outlets: Outlet[] = []

  const stageOf = (child: Child, above: Way): Stage => {
    const way = wayInto(child, above)
    const ways = stages.get(child.node) ?? new Map<Way, Stage>()
    stages.set(child.node, ways)
    const known = ways.get(way) ?? build(child.node, way)
    ways.set(way, known)
    return known
  }
  const children = (node: GraphNode) => below(node).filter(({ node: { kind } }) => kind !== 'failed')
  const nextOf = (node: GraphNode, way: Way): Stage => fork(children(node).map(child => stageOf(child, way)))

  const build = (node: GraphNode | SinkNode, way: Way): Stage => {
    if (node.kind === 'to') return sinkStage(node, way)
    if (node.kind === 'runInference') return stepOf(node).enter(way)
    const next = node.kind === 'branch' ? NOWHERE : nextOf(node, way)
    const onDrop = dropping(node, way)
    const { isStraight, ...behind } = behindStep(node, way)
    const point = { ...points.ofNode(node), isStraight }
    const at = { next, point, index: -1, timer: hooks.functions.timer, ...behind }
    switch (node.kind) {
      case 'map':
        return functionStage({ ...at, fn: node.fn })
      case 'keyBy':
        return functionStage({ ...at, fn: node.fn }, (value, key) => kv(key, value))
      case 'filter':
        return filterStage({ ...at, fn: node.fn }, onDrop)
      case 'flatMap':
        return flatMapStage({ ...at, fn: node.fn }, node.maxFanOut, onDrop)
      case 'branch': {
        const read = children(node)
        const cases = node.cases.map(({ fn }, index) => {
          const child = read.find(({ node: below }) => below.kind === 'case' && below.index === index)
          return { fn, next: child && stageOf(child, way) }
        })
        return branchStage(at, cases, onDrop)
      }
      case 'case':
      case 'merge':
        return next
      default:
        throw new TypeError(`a ${node.kind} has no stage above it`)
    }
  }

  /** The step above, if there is one, and whether all that was made of a result comes from it to here, as one element. */
  const behindStep = (node: GraphNode, way: Way): { readonly behind?: Delivery; readonly isStraight: boolean } => {
    let isStraight = true
    for (const above of nodesUp(node, way)) {
      // Of the cases of a branch an element goes into one.
      if (above.kind === 'flatMap' || (above.kind !== 'branch' && children(above).length > 1)) isStraight = false
      if (above.kind === 'runInference') return { behind: stepOf(above).delivery, isStraight }
    }
    return { isStraight: false }
  }

  const dropping = (node: GraphNode, way: Way): Drop => {
    const point = node.kind === 'runInference' ? points.ofStep(node, 'preprocess') : points.ofNode(node)
    const tell = hooks.droppedBy(points.nameOf(node), point)
    const passed = passedOn(node, way)
    return (work, element) => {
      tell(work)
      work.replays?.dropped(work.rowOf(element), passed)
      work.complete(element)
    }
  }

  const sinkStage = (node: SinkNode, way: Way): SinkStage => {
    const { key, value } = parts.encoders.get(node)!
    const column = outlets.length
    outlets.push({ node, column, way })
    const maxValueBytes = parts.maxValueBytes.get(node)!
    const sameKeyCodec = node.key !== undefined && sourcesAbove(node).every(({ key }) => key?.label === node.key?.label)
    const failures = points.ofSink(node)
    const { topic, newKey = false } = node
    return new SinkStage({ outlet: column, topic, key, sameKeyCodec, newKey, value, maxValueBytes, failures })
  }

  const stepOf = (node: StepNode): StepCompiler => {
    const known = steps.get(node)
    if (known) return known
    const signatures = parts.signatures.get(node)!
    const made = compileStep({
      ...{ node, signatures, points, hooks, children, stageOf },
      allChildren: below,
      dropping: way => dropping(node, way),
    })
    steps.set(node, made)
    // The first element may not come before the streams of dead letters are there: nothing runs yet.
    for (const { node: child } of below(node)) if (child.kind === 'failed') streamFailures(child)
    return made
  }

  const streamFailures = (node: FailedNode): void => {
    const { input, stage } = node
    const next = nextOf(node, FAILURES)
    // Dead letters come at any time, and functions may be next.
    const begun: Stage = {
      ...NOWHERE,
      push(work, element, value) {
        hooks.functions.timer.begin()
        next.push(work, element, value)
      },
    }
    points.listen(input, stage, failuresAsStream(node, begun))
  }

  const sources = new Map(
    topology.sources.map(node => {
      const { key, value } = parts.decoders.get(node)!
      const next = nextOf(node, '')
      const stage = new SourceStage({
        key,
        value,
        // A topic of our own has none but those that were forwarded into it.
        tombstones: node.options.tombstones ?? (node.writtenBy ? 'forward' : 'dead-letter'),
        failures: points.ofNode(node),
        next,
        direct: key === undefined ? directInput(value, next) : undefined,
        onDrop: dropping(node, ''),
      })
      return [node, stage] as const
    }),
  )
  return {
    sources,
    steps: topology.steps.map(node => stepOf(node).compiled),
    outlets: outlets.toSorted(
      (a, b) => topology.sinks.indexOf(a.node) - topology.sinks.indexOf(b.node) || (a.way < b.way ? -1 : 1),
    ),
  }
}

const NOWHERE: Stage = { push: () => {}, pushNull: () => {} }

/** Set when the source's values are the only input of the only step below, byte for byte. */
function directInput(value: RowDecoder<unknown>, next: Stage): { entry: StepEntry; rowBytes: number } | undefined {
  if (!(next instanceof StepEntry) || !value.tensor) return undefined
  const rowBytes = next.step.directRowBytes
  return rowBytes !== undefined && next.step.takesRaw(value.tensor) ? { entry: next, rowBytes } : undefined
}
