/**
 * A Kafka broker in memory, for tests: topics hold real record batches, groups have members, generations and sessions,
 * and faults come on demand. It passes the contract suite that the adapter for real brokers passes.
 *
 * Everything happens through the injected clock and microtasks: with a manual clock, one seed gives one course of events.
 */
import type { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Clock } from '../ops/clock.ts'
import { memoryClient } from './memory-client.ts'
import { type FaultPoint, type LosablePoint, MemoryFaults, type SlowPoint } from './memory-faults.ts'
import { MemoryLink } from './memory-link.ts'
import type { RefusalCode } from './memory-log.ts'
import { MemoryState } from './memory-state.ts'

export type { FaultPoint, LosablePoint, SlowPoint } from './memory-faults.ts'
export type { RefusalCode } from './memory-log.ts'

export interface MemoryBrokerOptions {
  readonly clock: Clock
  /** Numbers from 0 to 1, for member ids; default: always 0.5. */
  readonly random?: () => number
  /** What `brokerCount` says; default 1. */
  readonly brokerCount?: number
}

export interface MemoryBroker {
  /** A new client. */
  connect(): KafkaPort
  /** An outage begins: every request fails with BROKER_UNAVAILABLE, and clients try again every 100 ms. */
  down(): void
  /** The outage is over: sessions begin anew, clients try again at once. */
  up(): void
  /** The next requests of this kind fail with this error. */
  failNext(point: FaultPoint, error: RunInferenceError, times?: number): void
  /** Requests of this kind take this long from now on; 0 ends it. `markers`: from the end of a transaction until it is seen. */
  delay(point: SlowPoint, ms: number): void
  /** Refuses batches for ever, until the returned function is called. */
  refuse(concerns: (batch: SealedBatch) => boolean, code: RefusalCode): () => void
  /** The next requests of this kind are done, but their answers are lost; default: one batch, which the writer sends again. */
  loseResponse(times?: number, point?: LosablePoint): void
  /**
   * Requests of this client, or only those of some kinds, wait until the returned function is called, and come then, late:
   * the others go on without it.
   */
  cut(client: KafkaPort, points?: readonly FaultPoint[]): () => void
  /** Ends delays, and forgets failures and lost answers that are still to come. Refusals and cuts stay. */
  mend(): void
  /** Transactional ids with a transaction that is open, not yet decided. */
  openTransactions(): readonly string[]
  /** Aborts the open transaction of this id, as if its time-out were over. */
  timeOutTransaction(transactionalId: string): void
  /** Ids of a group's members in the order in which they joined. */
  members(groupId: string): readonly string[]
  /** Ends a member's session, as if it had not been heard of. */
  expireMember(groupId: string, memberId: string): void
  /** Makes every member of the group join again. */
  forceRebalance(groupId: string): void
  /** Drops all that a group has committed, as brokers do when it has had no members for long. */
  forgetCommits(groupId: string): void
  /** Members see the new partitions after the metadata age of 30 s. */
  addPartitions(topic: string, count: number): void
  /** Drops the records before an offset, as retention does. */
  deleteRecordsBefore(topic: string, partition: number, offset: number): void
  /** Drops batches of which nothing is the newest of its key, as compaction does; what is left keeps its offsets. */
  compact(topic: string, partition: number): void
}

export function createMemoryBroker(options: MemoryBrokerOptions): MemoryBroker {
  const faults = new MemoryFaults(options.clock)
  const state = new MemoryState(options.clock, options.random ?? (() => 0.5), faults, options.brokerCount ?? 1)
  const links = new WeakMap<KafkaPort, MemoryLink>()
  return {
    connect() {
      const link = new MemoryLink(faults)
      const client = memoryClient(state, link)
      links.set(client, link)
      return client
    },
    down: () => faults.down(),
    up: () => {
      faults.up()
      state.restartSessions()
    },
    failNext: (point, error, times = 1) => faults.failNext(point, error, times),
    delay: (point, ms) => faults.delay(point, ms),
    refuse: (concerns, code) => faults.refuse(concerns, code),
    loseResponse: (times = 1, point = 'produce') => faults.loseResponses(point, times),
    cut: (client, points) => links.get(client)?.cut(points) ?? (() => {}),
    mend: () => faults.mend(),
    openTransactions: () => state.transactions.open,
    timeOutTransaction: transactionalId => state.transactions.timeOut(transactionalId),
    members: groupId => state.group(groupId).memberIds,
    expireMember: (groupId, memberId) => state.group(groupId).remove(memberId),
    forceRebalance: groupId => state.group(groupId).rebalance(),
    forgetCommits: groupId => state.group(groupId).forget(),
    addPartitions: (topic, count) => state.addPartitions(topic, count),
    deleteRecordsBefore: (topic, partition, offset) => state.log(topic, partition).deleteBefore(offset),
    compact: (topic, partition) => state.log(topic, partition).compact(),
  }
}
