/** The nodes of a topology: plain immutable data. `stream.ts` builds them, `topology.ts` collects them, the engine compiles them. */
import type { Decoder, Encoder } from './kafka/codec.ts'
import type { HandlerDefinition, UserFunction } from './models/model-handler.ts'
import type { ResourceHints } from './models/resource-hints.ts'

/** What happens to a record with a null value: a dead letter (default), a null on every output topic below, or a counted drop. */
export type TombstonePolicy = 'dead-letter' | 'forward' | 'drop'

export interface SourceOptions {
  readonly tombstones?: TombstonePolicy
}

/** How a step forms its batches; `docs/batching.md` says when to use what. Functions get elements as they enter the step. */
export interface BatchOptions<in T = unknown> {
  /** `stream` (default): batches form across partitions and polls. `bundle`: one block = one bundle, as Beam does it. */
  readonly mode?: 'stream' | 'bundle'
  /** Hold a batch below this size for up to `maxWaitMs`; default 1 when maxWaitMs is 0, else maxSize. */
  readonly minSize?: number
  /** Default 256. */
  readonly maxSize?: number
  /** Counted from the first record of the batch; default 0. */
  readonly maxWaitMs?: number
  /** Input bytes of a batch, padding and masks included; a larger row goes alone. Default: no limit. */
  readonly maxBytes?: number
  /** The size of an element, in any unit (Beam: element_size_fn). Needs `maxTotalSize`. */
  readonly sizeOf?: (element: T) => number
  /** The sum of `sizeOf` over a batch (Beam: max_batch_weight); a larger element goes alone. */
  readonly maxTotalSize?: number
  /** Only rows of one bucket share batches: a key for each element, or ranges of lengths. Few buckets: each fills its own batches. */
  readonly bucketBy?: ((element: T) => string | number) | LengthBuckets<T>
  /** Finds the size at which the model works best, as Beam does; never above maxSize. Default: off. */
  readonly adaptive?: boolean | AdaptiveOptions
}

export interface LengthBuckets<in T = unknown> {
  /** The length of an element (Beam: batch_length_fn). Default: that of its padded inputs. */
  readonly lengthOf?: (element: T) => number
  /** Where a new bucket begins: `[16, 64]` is 0–15, 16–63, 64 and longer. Default: Beam's, 16, 32, 64, 128, 256, 512. */
  readonly boundaries?: readonly number[]
}

/** Beam's batch-size estimator; 0 turns a target off, one must remain. */
export interface AdaptiveOptions {
  /** Batches are never made smaller than this; default: the step's minSize, else 1. */
  readonly minSize?: number
  /** The model's fixed cost per call is at most this share of a call; default 0.05. */
  readonly targetBatchOverhead?: number
  /** Time per call without its fixed cost; default 10,000. */
  readonly targetBatchDurationMs?: number
  /** Time per call with its fixed cost; default 0, off. */
  readonly targetBatchDurationIncludingFixedCostMs?: number
  /** By which share sizes vary at most around the target, so that the estimate stays alive; default 0.25. */
  readonly variance?: number
}

/** What becomes of failures of a step, its functions included (Beam: with_exception_handling). Everything is a dead letter by default. */
export interface ExceptionHandling {
  /** Only these errors become dead letters, by class or by name; any other ends the application (Beam: exc_class); `[]`: any. Default: all. */
  readonly only?: readonly (string | (abstract new (...args: never) => Error))[]
  /** More dead letters than this share of the records, at one stage of the step, halt the application (Beam: threshold). Default 1: never. */
  readonly threshold?: number
  /** `bisect` (default): a failed batch is searched for the rows that fail alone. `batch`: all its rows fail with it, as in Beam. */
  readonly failureUnit?: 'bisect' | 'batch'
}

/** How batches are tried again whose error says that trying again can help. */
export interface RetryOptions {
  /** Tries after the first one; default 5, 0 = none. */
  readonly maxRetries?: number
  /** Before the first retry, doubled for each one behind it, with jitter; default 100. */
  readonly firstDelayMs?: number
  /** Default 5,000. */
  readonly maxDelayMs?: number
}

export interface StepOptions<in T = unknown> {
  readonly batch?: BatchOptions<T>
  /** Passed to every call of the model (Beam: inference_args). */
  readonly inferenceArgs?: Readonly<Record<string, unknown>>
  /**
   * The step's models can be published while it runs (`kri models publish`): instances read the application's metadata topic before
   * they join their group, and follow it (Beam: model_metadata_pcoll). A handler that names no model needs it. Default false.
   */
  readonly modelMetadata?: boolean
  /** Steps that give the same name share one loaded copy of their model (Beam: model_identifier); equal ONNX models share one anyway. */
  readonly modelIdentifier?: string
  /** Label of the step's metrics (Beam: metrics_namespace); default: the handler's. */
  readonly metricsNamespace?: string
  /** What the machine must have; overrides the handler's, hint by hint. */
  readonly resourceHints?: ResourceHints
  /** Where functions around the handler run: `main` (default), or a `worker`, where one that does not return can be ended. */
  readonly functions?: 'main' | 'worker'
  /** One call of one function may take so long; for synchronous functions this needs `functions: 'worker'`. Default: 30,000 where it can be kept. */
  readonly functionTimeoutMs?: number
  readonly exceptionHandling?: ExceptionHandling
  readonly retry?: RetryOptions
}

export interface SinkOptions {
  /** `source`: the source record's partition number; `key`: murmur2 of the key. Default: source when the counts are equal, else key. */
  readonly partition?: 'source' | 'key'
}

export interface SourceNode {
  readonly kind: 'source'
  readonly topic: string
  /** Undefined: elements are the bare values. */
  readonly key: Decoder<unknown> | undefined
  readonly value: Decoder<unknown>
  readonly options: SourceOptions
  /** The output that writes this topic, where the topology does (`through`, `repartition`). */
  readonly writtenBy?: SinkNode
}

export interface MapNode {
  readonly kind: 'map'
  readonly input: GraphNode
  readonly fn: UserFunction
}

export interface FilterNode {
  readonly kind: 'filter'
  readonly input: GraphNode
  readonly fn: UserFunction
}

/** One element becomes any number; each goes its own way, all are outputs of one source record. */
export interface FlatMapNode {
  readonly kind: 'flatMap'
  readonly input: GraphNode
  readonly fn: UserFunction
  readonly maxFanOut: number
}

/** Sets the model key; the record's key stays. */
export interface KeyByNode {
  readonly kind: 'keyBy'
  readonly input: GraphNode
  readonly fn: UserFunction
}

/** Sends each element to the first case that takes it. Its children are `case` nodes. */
export interface BranchNode {
  readonly kind: 'branch'
  readonly input: GraphNode
  readonly cases: readonly { readonly name: string; readonly fn: UserFunction }[]
}

export interface CaseNode {
  readonly kind: 'case'
  readonly input: BranchNode
  readonly index: number
}

export interface MergeNode {
  readonly kind: 'merge'
  /** In declaration order: of one record, what comes by the first input leaves first. */
  readonly inputs: readonly GraphNode[]
}

export interface StepNode {
  readonly kind: 'runInference'
  readonly input: GraphNode
  readonly step: string
  readonly handler: HandlerDefinition
  readonly options: StepOptions<never>
}

/** The dead letters of a step as a stream; their topics get them all the same. */
export interface FailedNode {
  readonly kind: 'failed'
  readonly input: StepNode
  readonly stage: 'preprocess' | 'inference' | 'postprocess'
  /** Of the function, in execution order; undefined: of all. */
  readonly index: number | undefined
}

export interface SinkNode {
  readonly kind: 'to'
  readonly input: GraphNode
  readonly topic: string
  readonly key: Encoder<never> | undefined
  readonly value: Encoder<never>
  readonly options: SinkOptions
  /** The record gets the element's key instead of its source's (`repartition`). */
  readonly newKey?: boolean
}

/** A node that has nodes below it. */
export type GraphNode =
  | SourceNode
  | MapNode
  | FilterNode
  | FlatMapNode
  | KeyByNode
  | BranchNode
  | CaseNode
  | MergeNode
  | StepNode
  | FailedNode

/** The nodes right above, in declaration order; none above a source. */
export function inputsOf(node: GraphNode | SinkNode): readonly GraphNode[] {
  if (node.kind === 'source') return []
  return node.kind === 'merge' ? node.inputs : [node.input]
}

/** These nodes and all above them, those first; a topic that is written and read again ends the way up. */
export function nodesAbove(nodes: readonly GraphNode[]): ReadonlySet<GraphNode> {
  const above = new Set<GraphNode>()
  const climb = (node: GraphNode): void => {
    if (above.has(node)) return
    for (const input of inputsOf(node)) climb(input)
    above.add(node)
  }
  for (const node of nodes) climb(node)
  return above
}

/** The step whose results reach a node, on each way to it; undefined for a way on which there is none. */
export function stepsAbove(node: GraphNode): ReadonlySet<StepNode | undefined> {
  const steps = new Set<StepNode | undefined>()
  const seen = new Set<GraphNode>()
  const climb = (at: GraphNode): void => {
    if (seen.has(at)) return
    seen.add(at)
    // Dead letters are no results.
    if (at.kind === 'runInference') steps.add(at)
    else if (at.kind === 'source' || at.kind === 'failed') steps.add(undefined)
    else for (const input of inputsOf(at)) climb(input)
  }
  climb(node)
  return steps
}
