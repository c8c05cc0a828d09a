/** The nodes of a topology: plain immutable data. `stream.ts` builds them, `topology.ts` collects them, the engine compiles them. */
import type { Decoder, Encoder } from './kafka/codec.ts'
import type { HandlerDefinition, UserFunction } from './models/model-handler.ts'

/** What happens to a record with a null value: a dead letter (default), a null on every output topic below, or a counted drop. */
export type TombstonePolicy = 'dead-letter' | 'forward' | 'drop'

export interface SourceOptions {
  readonly tombstones?: TombstonePolicy
}

export interface BatchOptions {
  /** `stream` (default): batches form across partitions and polls. `bundle`: one block = one bundle, as Beam does it. */
  readonly mode?: 'stream' | 'bundle'
  /** Hold a batch below this size for up to `maxWaitMs`; default 1 when maxWaitMs is 0, else maxSize. */
  readonly minSize?: number
  /** Default 256. */
  readonly maxSize?: number
  /** Counted from the first record of the batch; default 0. */
  readonly maxWaitMs?: number
}

export interface StepOptions {
  readonly batch?: BatchOptions
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
  readonly options: StepOptions
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
