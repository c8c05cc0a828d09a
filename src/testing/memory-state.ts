import { RunInferenceError } from '../errors.ts'
import type { StartPosition, TopicDescription } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import { partitionKey } from './memory-assignment.ts'
import type { MemoryFaults } from './memory-faults.ts'
import { MemoryGroup } from './memory-group.ts'
import { MemoryLog } from './memory-log.ts'
import { MemoryTransactions } from './memory-transactions.ts'

export interface MemoryTopic {
  readonly name: string
  readonly replicationFactor: number
  configs: Readonly<Record<string, string>>
  readonly partitions: MemoryLog[]
}

/** How soon members see that a topic has more partitions. */
const METADATA_AGE_MS = 30_000

/** What the clients of one broker in memory share. */
export class MemoryState {
  readonly clock: Clock
  /** Numbers from 0 to 1. */
  readonly random: () => number
  readonly faults: MemoryFaults
  readonly brokerCount: number
  readonly topics = new Map<string, MemoryTopic>()
  readonly transactions: MemoryTransactions
  readonly #groups = new Map<string, MemoryGroup>()
  readonly #listeners = new Set<() => void>()
  #nextProducerId = 1

  constructor(clock: Clock, random: () => number, faults: MemoryFaults, brokerCount: number) {
    this.clock = clock
    this.random = random
    this.faults = faults
    this.brokerCount = brokerCount
    this.transactions = new MemoryTransactions({
      clock,
      faults,
      producerId: () => this.producerId(),
      groupOf: groupId => this.group(groupId),
      onEnded: () => this.appended(),
    })
  }

  topic(name: string): MemoryTopic {
    const topic = this.topics.get(name)
    if (topic !== undefined) return topic
    throw new RunInferenceError('TOPIC_MISSING', `Topic ${name} does not exist. Create it: kri topics apply`)
  }

  log(name: string, partition: number): MemoryLog {
    const log = this.topic(name).partitions[partition]
    if (log !== undefined) return log
    throw new RunInferenceError('TOPIC_MISSING', `Topic ${name} has no partition ${partition}`)
  }

  describe(topic: MemoryTopic): TopicDescription {
    const { name, replicationFactor, configs, partitions } = topic
    return { name, partitions: partitions.length, replicationFactor, configs }
  }

  addPartitions(name: string, count: number): void {
    const { partitions } = this.topic(name)
    while (partitions.length < count) partitions.push(new MemoryLog(name, partitions.length))
    this.clock.after(METADATA_AGE_MS, () => {
      for (const group of this.#groups.values()) if (group.reads(name)) group.rebalance()
    })
  }

  group(groupId: string): MemoryGroup {
    let group = this.#groups.get(groupId)
    if (group === undefined) {
      group = new MemoryGroup({
        clock: this.clock,
        isUp: () => this.faults.isUp,
        partitionsOf: topic => this.topics.get(topic)?.partitions.length ?? 0,
        begin: (group, sources) => {
          for (const { topic, start } of sources) this.#commitStarts(group, topic, start)
        },
      })
      this.#groups.set(groupId, group)
    }
    return group
  }

  /** The first generation that reads a topic fixes where every partition starts; partitions that come later start at the log start. */
  #commitStarts(group: MemoryGroup, name: string, start: StartPosition): void {
    const logs = this.topics.get(name)?.partitions ?? []
    const isFirst = !logs.some(log => group.offsets.has(partitionKey(name, log.partition)))
    // Every partition of the topic is then left without an offset, and the member that gets it says so.
    if (isFirst && start === 'none') return
    for (const log of logs) {
      const key = partitionKey(name, log.partition)
      if (!group.offsets.has(key)) group.offsets.set(key, isFirst ? startOf(log, start) : log.start)
    }
  }

  restartSessions(): void {
    for (const group of this.#groups.values()) group.restartSessions()
  }

  /** Calls when something was written, until the returned function is called. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  appended(): void {
    for (const listener of this.#listeners) listener()
  }

  producerId(): number {
    return this.#nextProducerId++
  }

  memberId(): string {
    return `member-${Math.floor(this.random() * 2 ** 32).toString(16)}-${this.#nextProducerId++}`
  }
}

function startOf(log: MemoryLog, start: StartPosition): number {
  if (typeof start === 'object') return log.offsetAt(start.timestampMs)
  return start === 'latest' ? log.lastStableOffset : log.start
}
