/** The nodes of a topology as plain data: what `kri describe --json` says of each. */

export type NodeDescription =
  | SourceDescription
  | FunctionDescription
  | BranchDescription
  | CaseDescription
  | MergeDescription
  | StepDescription
  | FailedDescription
  | SinkDescription

interface Named {
  /** What the header `kri-node` of its dead letters says, e.g. `map#1`. */
  readonly id: string
}

/** A node below one other. */
interface Below extends Named {
  /** The id of the node above. */
  readonly input: string
}

export interface SourceDescription extends Named {
  readonly kind: 'from'
  readonly topic: string
  /** Label of the codec; null: elements are the bare values. */
  readonly key: string | null
  readonly value: string
  readonly tombstones: string
  readonly replayTopic: string
  /** The output that writes its topic (`through`, `repartition`); null: others do. */
  readonly writtenBy: string | null
  /** Where records go that cannot be decoded. */
  readonly failsTo: string
}

export interface FunctionDescription extends Below {
  readonly kind: 'map' | 'filter' | 'flatMap' | 'keyBy'
  /** The function's name, '' when it has none. */
  readonly function: string
  /** Of flatMap; null: the others give one element at most. */
  readonly maxFanOut: number | null
  readonly failsTo: string
}

export interface BranchDescription extends Below {
  readonly kind: 'branch'
  /** Names, in the order in which they are asked. */
  readonly cases: readonly string[]
  readonly failsTo: string
}

/** What goes one way of a branch. */
export interface CaseDescription extends Below {
  readonly kind: 'case'
  readonly case: string
}

export interface MergeDescription extends Named {
  readonly kind: 'merge'
  /** The ids of the nodes above, in the order of their outputs. */
  readonly inputs: readonly string[]
}

export interface StepDescription extends Below {
  readonly kind: 'step'
  readonly step: string
  /** `maybe`: each element decides for itself. */
  readonly keyed: boolean | 'maybe'
  /** Names of the functions in execution order, '' for those without. */
  readonly preprocess: readonly string[]
  readonly postprocess: readonly string[]
  /** Where these functions run. */
  readonly functions: 'main' | 'worker'
  /** One, or one for each mapping of a per-key handler. */
  readonly models: readonly ModelDescription[]
  /** How many models of a per-key handler a lane holds at one time, and how many bytes of them; null: no limit. */
  readonly maxModelsPerWorker: number | null
  readonly maxBytesPerWorker: number | null
  /** Its models can be published while it runs. */
  readonly modelMetadata: boolean
  /** The name under which steps share a loaded model; null: its own settings. */
  readonly modelIdentifier: string | null
  /** With its defaults; a function stands as its name. Null: elements are batches already. */
  readonly batch: Readonly<Record<string, string | number | boolean>> | null
  /** What a failed batch takes with it: the rows that fail alone, or all of its rows. */
  readonly failureUnit: 'bisect' | 'batch'
  /** The share of dead letters that halts the application. */
  readonly threshold: number
  readonly resourceHints: Readonly<Record<string, string | number>>
  readonly failsTo: { readonly preprocess: string; readonly inference: string; readonly postprocess: string }
}

export interface ModelDescription {
  /** Keys whose elements run it; null: all. */
  readonly keys: readonly string[] | null
  /** `onnx`, or `custom` for a handler of the user. */
  readonly kind: string
  readonly uri: string
  /** Row shapes by name, e.g. `float32[64]`; '' is the only one. Empty for custom handlers, as are the next two null. */
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, string>>
  readonly providerPolicy: string | null
  readonly intraOpNumThreads: number | null
  readonly providers: readonly string[]
  readonly isolation: string
  /** Null: until the lane counts as stuck. */
  readonly timeoutMs: number | null
  /** Lanes that hold it; null: all of its kind. */
  readonly copies: number | null
}

/** The dead letters of a step as a stream. */
export interface FailedDescription extends Below {
  readonly kind: 'failed'
  readonly stage: 'preprocess' | 'inference' | 'postprocess'
  /** Of the function; null: of all. */
  readonly index: number | null
}

export interface SinkDescription extends Below {
  readonly kind: 'to'
  readonly topic: string
  /** Label of the codec that checks or writes the key; null: the key is not looked at. */
  readonly key: string | null
  readonly value: string
  /** `source`: key bytes are carried unchanged. `element`: they are written anew (`repartition`). */
  readonly keyFrom: 'source' | 'element'
  /** `auto`: that of the source where both topics have equally many, else murmur2 of the key. */
  readonly partition: 'auto' | 'source' | 'key'
  readonly failsTo: string
}
