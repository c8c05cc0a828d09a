/**
 * What this project needs from Kafka, at the level of blocks, partitions and epochs. `src/kafkajs/` implements it on
 * real brokers, `src/testing/memory-broker.ts` in memory; both pass `test/contract/kafka-port.contract.ts`.
 * No type of any client library appears here.
 */
import type { RunInferenceError } from '../errors.ts'
import type { SealedBatch } from './record-batch-builder.ts'
import type { RecordBlock } from './record-block.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** One client of one cluster. */
export interface KafkaPort {
  readonly admin: KafkaAdmin
  /** A member of a consumer group; nothing happens before `start`. */
  member(options: MemberOptions, events: MemberEvents): GroupMember
  /** An idempotent writer with its own producer id. */
  writer(): KafkaWriter
  /** A writer of transactions under one transactional id; nothing happens before its `fence`. */
  transactionalWriter(options: TransactionalWriterOptions): TransactionalWriter
  /** Reads given ranges without a group, read_committed; blocks of one partition come in order. Ends when all ranges are read. */
  scan(ranges: readonly ScanRange[], options?: { signal?: AbortSignal }): AsyncIterable<RecordBlock>
  /** Closes every connection. Members and writers must have been stopped before. */
  close(): Promise<void>
}

export interface ScanRange extends TopicPartition {
  /** First offset to read; `earliest` = the log start. */
  readonly from: number | 'earliest'
  /** Read up to, not including; `end` = the last stable offset when the scan starts. */
  readonly to: number | 'end'
}

// ---- admin

export interface TopicDescription {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  /** The settings that matter here, e.g. `cleanup.policy`, `max.message.bytes`, `message.timestamp.type`. */
  readonly configs: Readonly<Record<string, string>>
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export type LogEnd = 'stable' | 'written'

/** A consumer group as its coordinator has it now. */
export interface GroupDescription {
  /** `Dead`: there is no such group. `Empty`: it has no members, but may have offsets. */
  readonly state: 'Dead' | 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Unknown'
  /** Those that have not been heard of for less than their session. */
  readonly members: readonly GroupMemberDescription[]
}

export interface GroupMemberDescription {
  /** One of `GroupMember.memberIds` of that member. */
  readonly memberId: string
  /** As the client calls itself; several members may have the same. */
  readonly clientId: string
  /** Where the coordinator sees it, e.g. `/10.0.0.7`. */
  readonly host: string
  /** Topics that it subscribes to; none while the group is not `Stable`, when the coordinator does not say. */
  readonly topics: readonly string[]
  /** Those that it was given; none while the group is not `Stable`. */
  readonly partitions: readonly TopicPartition[]
}

/** What a group has committed of a partition. */
export interface GroupCommit {
  /** −1: nothing. */
  readonly offset: number
  /** As it was committed; '' where nothing was. */
  readonly metadata: string
}

export interface KafkaAdmin {
  /** Those of the named topics that exist. */
  describeTopics(names: readonly string[]): Promise<readonly TopicDescription[]>
  /** Creates, and resolves when every partition has a leader. A topic that exists already is left as it is. */
  createTopics(topics: readonly NewTopic[]): Promise<void>
  deleteTopics(names: readonly string[]): Promise<void>
  setTopicConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void>
  /**
   * Log start and end of each partition, by partition number. The end is the last stable offset, up to which can be read;
   * `written`: the high watermark, which open transactions count in.
   */
  offsets(topic: string, end?: LogEnd): Promise<readonly { readonly start: number; readonly end: number }[]>
  /** Committed offsets of a group by partition number, −1 where there is none. */
  committed(groupId: string, topic: string): Promise<readonly number[]>
  /** The same with its metadata. `isStable`: waits for transactions that have some of it and are not over; else it is what was before them. */
  commits(groupId: string, topic: string, options?: { readonly isStable?: boolean }): Promise<readonly GroupCommit[]>
  /** Who is in a group now. A group that does not exist is `Dead`, and has no members. */
  describeGroup(groupId: string): Promise<GroupDescription>
  brokerCount(): Promise<number>
}

// ---- group member: reader, membership, commits

/** Where a partition starts that the group has never committed. A number is milliseconds since 1970. */
export type StartPosition = 'earliest' | 'latest' | 'none' | { readonly timestampMs: number }

export interface SourceSubscription {
  readonly topic: string
  readonly start: StartPosition
}

export interface MemberOptions {
  readonly groupId: string
  readonly sources: readonly SourceSubscription[]
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  /** The longest that `onRebalance` may take before the member rejoins all the same. */
  readonly drainBudgetMs: number
  readonly maxBytesPerPartition: number
  readonly maxBytesPerFetch: number
  /** How long a broker may hold a fetch that finds nothing. */
  readonly maxFetchWaitMs: number
}

/** A partition that this member owns. The epoch ends when the partition is lost, and never comes back. */
export interface OwnedPartition extends TopicPartition {
  readonly epoch: number
  /** Where reading starts. */
  readonly position: number
}

export type ConnectionState = 'connecting' | 'joined' | 'rebalancing' | 'degraded' | 'stopped'

/**
 * What a member tells. All but `onRebalance` are called synchronously and must return at once.
 * For a partition: onAssigned, then any number of onBlock with its epoch, then onLost; nothing for an epoch after its onLost.
 */
export interface MemberEvents {
  /**
   * Exactly-once: these are about to be assigned, and what is committed of them is read only when this has resolved. It must
   * make sure that nobody else can commit for them any more (`TransactionalWriter.fence`). A retriable rejection is tried
   * again as any other part of joining; another one is fatal. Without it, committed offsets are read at once.
   */
  beforeAssigned?(partitions: readonly TopicPartition[]): Promise<void>
  /** These are new. A partition that stayed across a rebalance is in neither list and keeps its epoch, queue and position. */
  onAssigned(partitions: readonly OwnedPartition[]): void
  /** These are gone: whatever was taken under these epochs must be dropped (I8). */
  onLost(partitions: readonly OwnedPartition[]): void
  /**
   * Records of an owned partition that is not paused; blocks of a partition come in offset order and without gaps. A block
   * without records moves `nextOffset` over control records or what compaction removed: commit it as any other.
   */
  onBlock(block: RecordBlock, epoch: number): void
  /** A rebalance was noticed: fetching has stopped, heartbeats go on. Resolve when what is in flight is committed; after the budget the member goes on anyway. */
  onRebalance(budgetMs: number): Promise<void>
  onState(state: ConnectionState, reason?: RunInferenceError): void
  /** Trying again will not help (authorisation, missing topic, offset out of range): the member has stopped fetching. */
  onFatal(error: RunInferenceError): void
}

export interface CommitRequest extends TopicPartition {
  /** The epoch under which the work was taken: the only fence that the broker does not have. */
  readonly epoch: number
  /** The next offset to read. */
  readonly offset: number
}

export interface GroupMember {
  /** Joins; resolves after the first assignment was reported. Rejects when trying again cannot help. */
  start(): Promise<void>
  /** Stops fetching this partition; no block of it is told until `resume`, also none that is on its way. */
  pause(partition: TopicPartition): void
  /** Fetches at once, not after the running long poll. */
  resume(partition: TopicPartition): void
  /**
   * Commits with the current generation those entries whose epoch is still owned; waits while joining; retries in an outage.
   * Resolves with one entry per request: false = the epoch is over and nothing was committed.
   */
  commit(offsets: readonly CommitRequest[]): Promise<readonly boolean[]>
  /**
   * Gives a partition up and takes it again under a new epoch, from where the group has committed by then: `onLost` at once,
   * then `beforeAssigned` and `onAssigned`, unless the group takes it away in the meantime. Done only after the coordinator
   * has confirmed this member anew. Nothing happens when the epoch is over already.
   */
  restart(partition: TopicPartition & { readonly epoch: number }): void
  /**
   * Whether what was taken of this topic may be sent now. Not while the member joins its group, as it may own less then than it
   * knows of; nor when the last heartbeat that was answered is as old as the session.
   */
  alive(topic?: string): boolean
  /** Under which ids coordinators know it now: one for each group, none before it has joined or once it was expelled. */
  memberIds(): readonly string[]
  /** Milliseconds since the last heartbeat that was answered. */
  heartbeatAgeMs(): number
  /** Stops fetching and heartbeats, leaves the group. Does not wait for work: drain first. */
  stop(): Promise<void>
}

// ---- writer

/**
 * `refused`: the broker will never take this batch as it is (too large, invalid record or timestamp); halve it.
 * `dropped`: its permit was withdrawn before it was decided.
 */
export type SendResult =
  | { readonly outcome: 'acknowledged'; readonly baseOffset: number }
  | { readonly outcome: 'refused' | 'dropped'; readonly reason: string }

/**
 * Asked whenever a batch is about to be written, since it may have waited: `hold` = not now, ask again soon; `drop` = never,
 * its work is no longer ours (I8).
 */
export type WritePermit = () => 'write' | 'hold' | 'drop'

export interface KafkaWriter {
  /**
   * Sends batches; resolves with one result per batch, in order, when all are decided. Batches for one output partition are
   * written in call order, the next only after the one before was decided; a retry resends the identical bytes with the
   * same sequence. In an outage it waits. Rejects (AUTHORISATION, TOPIC_MISSING, BROKER_REFUSED, CLOSED) when nothing will help.
   * Without a permit everything may be written.
   */
  send(batches: readonly SealedBatch[], permit?: WritePermit): Promise<readonly SendResult[]>
  /** The broker's view of a topic, cached: partition count and max.message.bytes. */
  topic(name: string): Promise<{ readonly partitions: number; readonly maxMessageBytes: number }>
  close(): Promise<void>
}

// ---- transactions

export interface TransactionalWriterOptions {
  /** Whoever fences this id last has it; everybody before is refused from then on. */
  readonly transactionalId: string
  /** A transaction that is open for longer is aborted by the broker; milliseconds. */
  readonly timeoutMs: number
}

/** The next offset to read of a partition. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: number
  /** Kept with the offset, for whoever reads it; at most 4,096 bytes. */
  readonly metadata?: string
}

/**
 * Writes transactions under one transactional id, one behind the other. A transaction opens with the first `send` or
 * `sendOffsets` and ends with `commit` or `abort`; readers that are read_committed see all of it or nothing.
 *
 * Everything but `fence` and `close` rejects with TRANSACTION_LOST when it is not known how the transaction ended or will end
 * (an outage that outlasts it, a time-out, an answer that makes no sense), and with TRANSACTION_FENCED when somebody else has
 * taken the id over. After either, every call but `fence` and `close` rejects alike: `fence`, look at what is committed, and
 * do again what is not. AUTHORISATION, TOPIC_MISSING, BROKER_REFUSED and CLOSED are final.
 */
export interface TransactionalWriter {
  /**
   * Takes the id over: refuses everybody who had it, this writer's earlier self included, and ends what they left open, by
   * committing it if its commit had begun, by aborting it otherwise. When it has resolved, committed offsets are final. One
   * attempt, which waits while a transaction of before is being ended; rejects with a retriable error in an outage.
   */
  fence(): Promise<void>
  /**
   * Adds batches to the transaction: at most one per output partition in a call, and one call at a time, though `sendOffsets` may
   * go beside it. Resolves with one result per batch, in order, when all are decided; a retry resends the identical bytes with
   * the same sequence, so a batch is written once. A transaction with a refused batch can only be aborted.
   */
  send(batches: readonly SealedBatch[]): Promise<readonly SendResult[]>
  /** These offsets are committed for the group with the transaction, or not at all. */
  sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void>
  /** Resolves when the transaction will be seen, whatever happens next. Without an open transaction nothing is done. */
  commit(): Promise<void>
  /** Resolves when the transaction will never be seen. Without an open transaction nothing is done. */
  abort(): Promise<void>
  /** Leaves a transaction that is open to the next `fence` of the id, or to the time-out. */
  close(): Promise<void>
}
