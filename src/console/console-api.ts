/**
 * What the console's server and its page tell each other: JSON, over `GET` and `POST` under `/console/api/`, and events of
 * `GET /console/api/events` (server-sent). The page reads nothing else.
 */

/** As in the names of dead-letter topics. */
export type FailedStage = 'preprocess' | 'inference' | 'postprocess'

/** As instances tell it: what became of the newest record of a slot. */
export type RefreshState = 'loading' | 'ready' | 'current' | 'failed'

/** `GET /console/api/about`: what does not change while the server runs. */
export interface ConsoleAbout {
  readonly application: string
  readonly topology: string
  /** `instance`: what one process of `kri run` knows of itself; `application`: all of it, as Kafka has it. */
  readonly scope: 'instance' | 'application'
  /** Id of the instance that serves this; undefined for the application. */
  readonly instance?: string
  readonly version: string
  readonly guarantee: 'at_least_once' | 'exactly_once'
  readonly graph: GraphView
  /** Whether anything can be changed here: there is a token. */
  readonly canChange: boolean
}

/** The topology, laid out by the page: nodes in the order of the data flow. */
export interface GraphView {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

export interface GraphNode {
  readonly id: string
  /** `topic`: dead letters, shadows and intermediate topics are topics too. */
  readonly kind: 'source' | 'function' | 'branch' | 'merge' | 'step' | 'through' | 'sink' | 'dead-letters'
  readonly label: string
  /** Topic that it reads or writes; undefined where it is neither. */
  readonly topic?: string
}

export interface GraphEdge {
  readonly id: string
  readonly from: string
  readonly to: string
  /** `ok`, `failed`, or the case of a branch. */
  readonly label?: string
}

/**
 * Event `problem` has a `ProblemView` instead, where none could be made; the next one may be.
 * Event `snapshot`, once a second from an instance, every two from an application, only while a page listens. What is not known
 * in this scope is undefined, never 0.
 */
export interface ConsoleSnapshot {
  /** ISO 8601. */
  readonly at: string
  readonly state: string
  readonly ready: boolean
  /** What is being waited for, and why. */
  readonly problems: Readonly<Record<string, string>>
  readonly throughput: RecordRates
  readonly lag: { readonly records: number; readonly seconds?: number }
  /** In the scope of an application: how many of its members tell latency and batches, in status records of the last minute or so. */
  readonly told?: { readonly instances: number; readonly members: number }
  /** Milliseconds; of an instance over the last snapshots. */
  readonly latency?: { readonly queue: Quantiles; readonly compute: Quantiles; readonly total: Quantiles }
  readonly batches?: {
    /** Undefined: there was no batch in the last seconds. */
    readonly meanRows?: number
    readonly perSecond: number
    /** Why batches were closed, a second each. */
    readonly closed: Readonly<Record<string, number>>
    /** Upper bounds of rows, and how many batches had so many; of an instance over the last minute. */
    readonly sizes: readonly { readonly upTo: number; readonly count: number }[]
  }
  /** Records a second by `GraphEdge.id`; edges that nothing counts are left out. */
  readonly rates: Readonly<Record<string, number>>
  /** At most 500: those that are behind most. */
  readonly partitions: readonly PartitionView[]
  /** How many more there are; undefined: none. */
  readonly partitionsLeftOut?: number
  /** At most 200: members first, of these those that fail most, then those that were heard last. */
  readonly instances: readonly InstanceView[]
  /** How many more there are; undefined: none. */
  readonly instancesLeftOut?: number
  readonly models: readonly SlotView[]
  readonly deadLetters: readonly { readonly topic: string; readonly records: number }[]
  readonly replays: readonly ReplayView[]
}

/** Records a second; undefined in the first snapshot of a connection, and while they are not known. */
export interface RecordRates {
  readonly inPerSecond?: number
  readonly outPerSecond?: number
  readonly failedPerSecond?: number
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
}

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** Instance that has it, as far as it is known. */
  readonly owner?: string
  readonly committed: number
  readonly end: number
  readonly lag: number
}

/** Its rates are what it tells of itself. */
export interface InstanceView extends RecordRates {
  readonly instance: string
  readonly host?: string
  readonly partitions: number
  /** ISO 8601, of the last word from it. */
  readonly seen?: string
  readonly isMember: boolean
}

/** Models of a step, or of one key of it. */
export interface SlotView {
  readonly slot: string
  readonly revision: number
  readonly stable?: ModelView
  readonly candidate?: ModelView & { readonly mode: 'canary' | 'shadow'; readonly percent: number }
  readonly previous: readonly ModelView[]
  readonly publishedBy?: string
  readonly publishedAt?: string
  /** At most 200, and 2,000 of all slots together: those that are furthest from what is published. */
  readonly fleet: readonly {
    readonly instance: string
    readonly state: RefreshState
    readonly revision: number
    readonly modelId?: string
    readonly reason?: string
  }[]
  /** How many more there are, by their state; undefined: none. */
  readonly fleetLeftOut?: Readonly<Partial<Record<RefreshState, number>>>
}

/** Addresses come without users, passwords and the values of queries, here as everywhere. */
export interface ModelView {
  readonly modelId: string
  readonly modelName: string
  readonly sha256?: string
}

/** `GET /console/api/dlq/groups?<selection>`: `SelectionQuery` as parameters. Numbers are of all that is selected. */
export interface GroupsView {
  /** At most 500: those with most letters, the one that was seen last first. */
  readonly groups: readonly FingerprintView[]
  readonly letters: number
  /** Of these not yet taken by a replay. */
  readonly open: number
  readonly reasons: number
  /** Letters of reasons that were not told apart, since there were 10,000 already; undefined: none. */
  readonly untold?: number
}

export interface FingerprintView {
  readonly fingerprint: string
  readonly stage: FailedStage | null
  readonly step: string | null
  readonly code: string | null
  /** Normalised message. */
  readonly message: string
  readonly count: number
  /** Of these not yet taken by a replay. */
  readonly open: number
  readonly firstAt?: string
  readonly lastAt?: string
  readonly replayedBefore: number
  /** `topic/partition/offset` of the newest. */
  readonly example: string
}

/**
 * Parameters of `groups`, `letters`, and of a replay's body: names and meaning as the flags of `kri dlq ls`, but for
 * `minReplays` and `maxReplays`, which are --replayed-at-least and --replayed-at-most there. Repeated parameters are any of these.
 */
export interface SelectionQuery {
  readonly stage?: readonly string[]
  readonly step?: readonly string[]
  readonly index?: readonly string[]
  readonly code?: readonly string[]
  readonly fingerprint?: readonly string[]
  readonly text?: string
  readonly key?: readonly string[]
  readonly header?: readonly string[]
  readonly model?: readonly string[]
  readonly original?: readonly string[]
  readonly letter?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly minReplays?: string
  readonly maxReplays?: string
  /** Only those not yet taken by a replay. */
  readonly open?: boolean
}

/** `GET /console/api/dlq/letters?<selection>&limit=50`: newest first. */
export interface LetterView {
  /** `topic/partition/offset`. */
  readonly place: string
  readonly failedAt?: string
  readonly stage: string | null
  readonly step: string | null
  readonly code: string | null
  readonly message: string | null
  readonly modelId: string | null
  readonly key: string | null
  readonly original: string
  readonly replayCount: number
  readonly fingerprint: string
}

/** `GET /console/api/dlq/letter?place=topic/partition/offset`. */
export interface WholeLetterView extends LetterView {
  readonly errorType: string | null
  readonly stack: string | null
  readonly attempt: number | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Decoded, as indented JSON; undefined when it does not decode. */
  readonly decoded?: string
  /** Why not, and the first bytes as `hexdump -C` shows them. */
  readonly undecoded?: { readonly why: string; readonly hex: string }
  readonly bytes?: number
}

/** `POST /console/api/dlq/replay`. Without `yes` it is a dry run, and nothing is written. */
export interface ReplayRequest {
  readonly selection: SelectionQuery
  /** Default: made by the server. */
  readonly name?: string
  readonly reason?: string
  readonly rate?: number
  readonly limit?: number
  readonly maxReplays?: number
  readonly yes?: boolean
}

/** Answer of a dry run. */
export interface ReplayPlanView {
  readonly name: string
  readonly selected: number
  /** By topic. */
  readonly replayed: Readonly<Record<string, number>>
  readonly parked: number
  readonly lost: number
  /** Why it cannot be run now; undefined: it can. */
  readonly refusal?: string
}

/** A replay that runs here, or that the audit tells of; newest first. `POST /console/api/dlq/cancel` `{name}` ends one for good. */
export interface ReplayView {
  readonly name: string
  readonly by: string
  readonly reason?: string
  readonly startedAt: string
  readonly state: 'running' | 'finished' | 'stopped' | 'cancelled' | 'failed'
  /** 0 to 1. */
  readonly progress?: number
  readonly replayed: number
  readonly parked: number
  readonly lost: number
  readonly problem?: string
}

/** `POST /console/api/models/publish`. */
export interface PublishRequest {
  readonly slot: string
  readonly modelId: string
  readonly modelName?: string
  readonly mode?: 'canary' | 'shadow'
  readonly percent?: number
  readonly reason?: string
}

/** `POST /console/api/models/{rollback,promote,abort}`. */
export interface SlotRequest {
  readonly slot: string
  readonly reason?: string
}

/** Answer to all of these: the revision that was written. */
export interface RevisionView {
  readonly slot: string
  readonly revision: number
}

/** Body of every answer that is not 2xx: the code and message that a command would print. */
export interface ProblemView {
  readonly code: string
  readonly message: string
}
