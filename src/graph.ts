/** The nodes of a topology: plain immutable data. `stream.ts` builds them, `topology.ts` collects them, the engine compiles them. */
import type { Decoder, Encoder } from './kafka/codec.ts'
import type { HandlerDefinition, UserFunction } from './models/model-handler.ts'

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

export interface StepOptions<in T = unknown> {
  readonly batch?: BatchOptions<T>
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

export interface StepNode {
  readonly kind: 'runInference'
  readonly input: GraphNode
  readonly step: string
  readonly handler: HandlerDefinition
  readonly options: StepOptions<never>
}

export interface SinkNode {
  readonly kind: 'to'
  readonly input: GraphNode
  readonly topic: string
  readonly key: Encoder<never> | undefined
  readonly value: Encoder<never>
  readonly options: SinkOptions
}

/** A node that has nodes below it. */
export type GraphNode = SourceNode | MapNode | FilterNode | StepNode
