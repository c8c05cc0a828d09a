/** A step as stages: functions before the model, the model's input and output, functions behind it, for each way into it. */
import type { GraphNode, SinkNode, StepNode } from '../graph.ts'
import type { Signature } from '../models/executor.ts'
import type { HandlerModel } from '../models/model-handler.ts'
import type { TensorSpec } from '../models/tensors.ts'
import { FUNCTION_TIMEOUT_MS, type FunctionSide } from '../models/user-function.ts'
import { asyncStage, workerStage } from './async-functions.ts'
import type { CompileHooks } from './compile.ts'
import type { FailurePoints } from './failure-points.ts'
import { type Delivery, type Drop, functionStage } from './functions.ts'
import type { Child, Way } from './graph-ways.ts'
import { Groups, groupingStage } from './grouping-stage.ts'
import { keepsResults } from './kept-results.ts'
import { planPadding } from './padding.ts'
import { rowGrouping } from './row-grouping.ts'
import type { RunningFunctions } from './running-functions.ts'
import type { SinkStage } from './sink-stage.ts'
import { type FailurePoint, fork, type Stage } from './stage.ts'
import type { InputLayout } from './staged-run.ts'
import { StepEntry, StepInput } from './step-input.ts'
import { type OutputLayout, type OutputRoute, StepOutput } from './step-output.ts'

export interface CompiledStep {
  readonly node: StepNode
  readonly input: StepInput
  readonly output: StepOutput
}

export interface StepCompiler {
  readonly compiled: CompiledStep
  readonly delivery: Delivery
  /** The stage that takes elements on this way. */
  enter(way: Way): Stage
}

export interface StepParts {
  readonly node: StepNode
  /** For each model of the handler. */
  readonly signatures: readonly Signature[]
  readonly points: FailurePoints
  readonly hooks: CompileHooks
  readonly children: (node: GraphNode) => readonly Child[]
  /** With the streams of dead letters. */
  readonly allChildren: (node: GraphNode) => readonly Child[]
  readonly stageOf: (child: Child, way: Way) => Stage
  /** What ends an element as a counted drop of this step. */
  readonly dropping: (way: Way) => Drop
}

export function compileStep({
  node,
  signatures,
  points,
  hooks,
  children,
  allChildren,
  stageOf,
  dropping,
}: StepParts): StepCompiler {
  const { keyed, batching, preprocess, postprocess, cohorts } = node.handler
  const preprocessFailures = points.ofStep(node, 'preprocess')
  const postprocessFailures = points.ofStep(node, 'postprocess')
  const grouping = rowGrouping(batching ? { ...node.handler.batch, ...node.options.batch } : {})
  const delivery: Delivery = { modelId: undefined }
  const routes: OutputRoute[] = []
  const drops: Drop[] = []
  const input = new StepInput({
    keyed,
    batching,
    lastFunction: preprocess.length - 1,
    layouts: cohorts.map(({ model }, i) => inputLayout(model, signatures[i]!)),
    cohortOf: cohortOf(node),
    grouping,
    preprocessFailures,
    inferenceFailures: points.ofStep(node, 'inference'),
    now: hooks.now,
    onStaged: hooks.onStaged,
    drops,
  })
  const output = new StepOutput({
    keyed,
    layouts: cohorts.map(({ model }, i) => outputLayout(model, signatures[i]!)),
    routes,
    delivery,
    keepsResults: keepsResults(node, allChildren),
  })
  const takesRows = postprocess.length === 0 && !keyed && cohorts.length === 1
  const functions = functionStages(node, hooks.functions)

  return {
    compiled: { node, input, output },
    delivery,
    enter(way) {
      const below = children(node)
      const direct = below.flatMap(child => {
        const taken = takesRows ? directOutput(child.node, signatures[0]!) : undefined
        return taken === undefined ? [] : [{ sink: stageOf(child, way) as SinkStage, output: taken, child }]
      })
      const others = below.filter(child => !direct.some(taken => taken.child === child))
      const all = fork(below.map(child => stageOf(child, way)))
      const one = fork(others.map(child => stageOf(child, way)))
      const next = others.length > 0 ? functions('postprocess', one, postprocessFailures, delivery) : undefined
      const route = routes.push({ next, direct }) - 1
      drops.push(dropping(way))
      const groups = grouping.bucketOf || grouping.sizeOf ? new Groups() : undefined
      const entry = new StepEntry(input, route, groups, all)
      const before = functions('preprocess', entry, preprocessFailures)
      return groups ? groupingStage(grouping, groups, preprocessFailures, before) : before
    },
  }
}

/** Makes the stages of the functions on one side of a model; `delivery`: set behind it. */
function functionStages(node: StepNode, running: RunningFunctions) {
  const { handler, options } = node
  const lane = running.laneOf(node)
  return (side: FunctionSide, after: Stage, point: FailurePoint, delivery?: Delivery): Stage => {
    const common = { point, delivery, timer: running.timer, onProgress: running.progressed }
    const list = handler[side]
    if (lane && list.length > 0) return workerStage(lane, side, { ...common, next: after })
    return list.reduceRight<Stage>((next, given, index) => {
      const { fn, concurrency, timeoutMs = options.functionTimeoutMs ?? FUNCTION_TIMEOUT_MS } = given
      const at = { ...common, next, index }
      if (concurrency === undefined) return functionStage({ ...at, fn })
      return asyncStage(running.callsOf(given, concurrency), { ...at, timeoutMs })
    }, after)
  }
}

/** Which model a key asks for; undefined where there is one for all. */
function cohortOf({ handler: { cohorts } }: StepNode): ((key: unknown) => number | undefined) | undefined {
  if (cohorts[0].keys === undefined) return undefined
  const byKey = new Map(cohorts.flatMap(({ keys }, cohort) => keys!.map(key => [key, cohort] as const)))
  return key => byKey.get(key)
}

/** The inputs that examples have, in the model's order; those that are padded keep their open dimension. */
function inputLayout(model: HandlerModel, loaded: Signature): InputLayout {
  if (model.kind === 'custom')
    return { names: [''], specs: [{ dtype: 'value', shape: [] }], unnamed: true, padding: undefined }
  const { masks = [], unnamed } = model
  const own = loaded.inputs.filter(({ name }) => !masks.includes(name))
  const padding = planPadding(model, loaded.inputs)
  const specs = own.map(({ dtype, shape }, i) => {
    const padded = padding?.inputs.find(({ index }) => index === i)
    return { dtype, shape: padded ? shape.with(padded.axis, null) : shape }
  })
  return { names: own.map(({ declared }) => declared), specs, unnamed, padding }
}

function outputLayout(model: HandlerModel, loaded: Signature): OutputLayout {
  const names = loaded.outputs.map(({ declared }) => declared)
  if (model.kind === 'custom') return { kind: 'result', names }
  return { kind: model.unnamed ? 'unnamed' : 'named', names }
}

/** The output that this sink can copy without objects: a raw row of a fixed-size type, under the source's key. */
function directOutput(child: GraphNode | SinkNode, { outputs }: Signature): number | undefined {
  if (child.kind !== 'to' || child.key || !child.value.inferenceOf) return undefined
  const { output, tensor: wanted } = child.value.inferenceOf
  const index = outputs.findIndex(tensor =>
    output === undefined ? !wanted || tensor.dtype === wanted.dtype : tensor.declared === output,
  )
  const tensor = outputs[index]
  if (!tensor || tensor.dtype === 'string' || tensor.dtype === 'value') return undefined
  // A declared shape that the model does not promise is checked row by row, by the encoder.
  return !wanted || sameTensor(wanted, tensor) ? index : undefined
}

function sameTensor(a: TensorSpec, b: TensorSpec): boolean {
  return a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i])
}
