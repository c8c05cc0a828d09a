/** Turns a topology value into running stages, one tree per source, in data-flow order. */
import type { GraphNode, SinkNode, SourceNode, StepNode } from '../graph.ts'
import type { RowDecoder, RowEncoder } from '../kafka/codec.ts'
import type { LoadedModel } from '../models/executor.ts'
import type { OnnxModel } from '../models/model-handler.ts'
import type { TensorSpec } from '../models/tensors.ts'
import type { Topology } from '../topology.ts'
import type { FailurePoints } from './failure-points.ts'
import { filterStage, mapStage } from './functions.ts'
import { planPadding } from './padding.ts'
import { rowGrouping } from './row-grouping.ts'
import { SinkStage } from './sink-stage.ts'
import { SourceStage } from './source-stage.ts'
import { fork, type Stage } from './stage.ts'
import type { InputLayout } from './staged-run.ts'
import { StepInput } from './step-input.ts'
import { StepOutput } from './step-output.ts'

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
  readonly models: ReadonlyMap<StepNode, LoadedModel>
  /** Largest value, in bytes, that the output topic takes. */
  readonly maxValueBytes: ReadonlyMap<SinkNode, number>
}

export interface CompileHooks {
  readonly now: () => number
  readonly onStaged: () => void
  readonly onDrop: (node: string) => void
}

export interface CompiledStep {
  readonly node: StepNode
  readonly input: StepInput
  readonly output: StepOutput
}

export interface CompiledGraph {
  readonly sources: ReadonlyMap<SourceNode, SourceStage>
  readonly steps: readonly CompiledStep[]
  /** Index of each sink in a block's columns. */
  readonly sinks: readonly SinkNode[]
  /** The sinks that a source reaches, in declaration order. */
  readonly sinksOf: (source: SourceNode) => readonly SinkNode[]
}

export function compile(
  topology: Topology,
  parts: OpenedParts,
  points: FailurePoints,
  hooks: CompileHooks,
): CompiledGraph {
  const below = childrenOf(topology)
  const steps = new Map<StepNode, CompiledStep>()
  const stages = new Map<GraphNode | SinkNode, Stage>()

  const stageOf = (node: GraphNode | SinkNode): Stage => {
    const known = stages.get(node)
    if (known) return known
    const made = build(node)
    stages.set(node, made)
    return made
  }
  const nextOf = (node: GraphNode): Stage => fork(below(node).map(stageOf))

  const build = (node: GraphNode | SinkNode): Stage => {
    if (node.kind === 'to') return sinkStage(node)
    if (node.kind === 'map') return mapStage(node.fn, nextOf(node), points.ofNode(node))
    if (node.kind === 'filter') {
      return filterStage(node.fn, nextOf(node), points.ofNode(node), () => hooks.onDrop(points.nameOf(node)))
    }
    if (node.kind === 'runInference') return stepStage(node).input
    throw new TypeError('a source has no stage above it')
  }

  const sinkStage = (node: SinkNode): SinkStage => {
    const { key, value } = parts.encoders.get(node)!
    const sink = topology.sinks.indexOf(node)
    const maxValueBytes = parts.maxValueBytes.get(node)!
    const sameKeyCodec = node.key !== undefined && node.key.label === sourceOf(node).key?.label
    const failures = points.ofSink(node)
    return new SinkStage({ sink, topic: node.topic, key, sameKeyCodec, value, maxValueBytes, failures })
  }

  const stepStage = (node: StepNode): CompiledStep => {
    const { handler } = node
    const model = parts.models.get(node)!
    const children = below(node)
    const bare = handler.postprocess.length === 0 && !handler.keyed
    const direct = children.flatMap(child => {
      const output = bare ? directOutput(child, model) : undefined
      return output === undefined ? [] : [{ sink: stageOf(child) as SinkStage, output, child }]
    })
    const others = children.filter(child => !direct.some(taken => taken.child === child))
    const next = others.length > 0 ? fork(others.map(stageOf)) : undefined
    const { keyed, preprocess, postprocess } = handler
    const made: CompiledStep = {
      node,
      input: new StepInput({
        keyed,
        preprocess,
        layout: inputLayout(handler.model, model),
        grouping: rowGrouping(node.options.batch ?? {}),
        preprocessFailures: points.ofStep(node, 'preprocess'),
        inferenceFailures: points.ofStep(node, 'inference'),
        below: nextOf(node),
        now: hooks.now,
        onStaged: hooks.onStaged,
      }),
      output: new StepOutput({
        keyed,
        postprocess,
        outputNames: model.outputs.map(output => output.declared),
        unnamed: handler.model.unnamed,
        failures: points.ofStep(node, 'postprocess'),
        next,
        direct,
      }),
    }
    steps.set(node, made)
    return made
  }

  const sources = new Map(
    topology.sources.map(node => {
      const { key, value } = parts.decoders.get(node)!
      const next = nextOf(node)
      const stage = new SourceStage({
        key,
        value,
        tombstones: node.options.tombstones ?? 'dead-letter',
        failures: points.ofNode(node),
        next,
        direct: key === undefined ? directInput(value, next) : undefined,
        onDrop: () => hooks.onDrop(points.nameOf(node)),
      })
      return [node, stage] as const
    }),
  )
  const sinksOf = (source: SourceNode) => topology.sinks.filter(sink => sourceOf(sink) === source)
  return { sources, steps: topology.steps.map(node => steps.get(node)!), sinks: topology.sinks, sinksOf }
}

/** The inputs that examples have, in the model's order; those that are padded keep their open dimension. */
function inputLayout(model: OnnxModel, loaded: LoadedModel): InputLayout {
  const { masks = [], unnamed } = model
  const own = loaded.inputs.filter(({ name }) => !masks.includes(name))
  const padding = planPadding(model, loaded.inputs)
  const specs = own.map(({ dtype, shape }, i) => {
    const padded = padding?.inputs.find(({ index }) => index === i)
    return { dtype, shape: padded ? shape.with(padded.axis, null) : shape }
  })
  return { names: own.map(({ declared }) => declared), specs, unnamed, padding }
}

/** The children of each node, in the order in which the sinks declare them. */
function childrenOf(topology: Topology): (node: GraphNode) => readonly (GraphNode | SinkNode)[] {
  const children = new Map<GraphNode, (GraphNode | SinkNode)[]>()
  for (const sink of topology.sinks) {
    for (let node: GraphNode | SinkNode = sink; node.kind !== 'source'; node = node.input) {
      const siblings: readonly (GraphNode | SinkNode)[] = children.get(node.input) ?? []
      if (!siblings.includes(node)) children.set(node.input, [...siblings, node])
    }
  }
  return node => children.get(node) ?? []
}

function sourceOf(sink: SinkNode): SourceNode {
  let node: GraphNode = sink.input
  while (node.kind !== 'source') node = node.input
  return node
}

/** The output that this sink can copy without objects: a raw row of a fixed-size type, under the source's key. */
function directOutput(child: GraphNode | SinkNode, model: LoadedModel): number | undefined {
  if (child.kind !== 'to' || child.key || !child.value.inferenceOf) return undefined
  const { output, tensor: wanted } = child.value.inferenceOf
  const index = model.outputs.findIndex(tensor =>
    output === undefined ? !wanted || tensor.dtype === wanted.dtype : tensor.declared === output,
  )
  const tensor = model.outputs[index]
  if (!tensor || tensor.dtype === 'string') return undefined
  // A declared shape that the model does not promise is checked row by row, by the encoder.
  return !wanted || sameTensor(wanted, tensor) ? index : undefined
}

function sameTensor(a: TensorSpec, b: TensorSpec): boolean {
  return a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i])
}

/** Set when the source's values are the only input of the only step below, byte for byte. */
function directInput(value: RowDecoder<unknown>, next: Stage): { step: StepInput; rowBytes: number } | undefined {
  if (!(next instanceof StepInput) || !value.tensor) return undefined
  const rowBytes = next.directRowBytes
  return rowBytes !== undefined && next.takesRaw(value.tensor) ? { step: next, rowBytes } : undefined
}
