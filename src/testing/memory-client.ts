import { RunInferenceError } from '../errors.ts'
import { limitBlock } from '../kafka/limited-block.ts'
import type { KafkaAdmin, KafkaPort, NewTopic, ScanRange } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { sleep } from '../ops/clock.ts'
import { partitionKey } from './memory-assignment.ts'
import type { MemoryLink } from './memory-link.ts'
import { MemoryLog } from './memory-log.ts'
import { MemoryMember } from './memory-member.ts'
import type { MemoryState } from './memory-state.ts'
import { MemoryTransactionalWriter } from './memory-transactional-writer.ts'
import { MemoryWriter } from './memory-writer.ts'

const SCAN_BYTES = 1024 * 1024

/** After this time it is asked again whether a transaction is over. */
const PENDING_RETRY_MS = 4

/** Settings of a topic that is created without them. */
const DEFAULT_CONFIGS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'CreateTime',
  'min.insync.replicas': '1',
}

/** One client of the broker in memory. */
export function memoryClient(state: MemoryState, link: MemoryLink): KafkaPort {
  return {
    admin: memoryAdmin(state, link),
    member: (options, events) => new MemoryMember(state, link, options, events),
    writer: () => new MemoryWriter(state, link),
    transactionalWriter: options => new MemoryTransactionalWriter(state, link, options),
    scan: (ranges, options = {}) => scan(state, link, ranges, options.signal),
    close: async () => {},
  }
}

function memoryAdmin(state: MemoryState, link: MemoryLink): KafkaAdmin {
  const reach = () => link.pass('admin')
  return {
    async describeTopics(names) {
      await reach()
      return names.flatMap(name => {
        const topic = state.topics.get(name)
        return topic === undefined ? [] : [state.describe(topic)]
      })
    },
    async createTopics(topics) {
      await reach()
      for (const topic of topics) if (!state.topics.has(topic.name)) create(state, topic)
    },
    async deleteTopics(names) {
      await reach()
      for (const name of names) state.topics.delete(name)
    },
    async setTopicConfigs(name, configs) {
      await reach()
      const topic = state.topic(name)
      topic.configs = { ...topic.configs, ...configs }
    },
    async offsets(topic, upTo) {
      await reach()
      return state.topic(topic).partitions.map(({ start, end, lastStableOffset }) => {
        return { start, end: upTo === 'written' ? end : lastStableOffset }
      })
    },
    async committed(groupId, topic) {
      await reach()
      const { offsets } = state.group(groupId)
      return state.topic(topic).partitions.map(({ partition }) => offsets.get(partitionKey(topic, partition)) ?? -1)
    },
    async commits(groupId, topic, { isStable = false } = {}) {
      await reach()
      const { offsets, metadata } = state.group(groupId)
      const keys = state.topic(topic).partitions.map(({ partition }) => partitionKey(topic, partition))
      while (isStable && state.transactions.hasPending(groupId, keys)) await sleep(state.clock, PENDING_RETRY_MS)
      return keys.map(key => {
        return { offset: offsets.get(key) ?? -1, metadata: metadata.get(key) ?? '' }
      })
    },
    async describeGroup(groupId) {
      await reach()
      return state.group(groupId).describe()
    },
    async brokerCount() {
      await reach()
      return state.brokerCount
    },
  }
}

function create(state: MemoryState, { name, partitions, replicationFactor, configs }: NewTopic): void {
  if (replicationFactor > state.brokerCount) {
    throw new RunInferenceError(
      'BROKER_REFUSED',
      `Topic ${name}: replication factor ${replicationFactor} needs as many brokers, there are ${state.brokerCount}`,
    )
  }
  state.topics.set(name, {
    name,
    replicationFactor,
    configs: { ...DEFAULT_CONFIGS, ...configs },
    partitions: Array.from({ length: partitions }, (_, partition) => new MemoryLog(name, partition)),
  })
}

async function* scan(
  state: MemoryState,
  link: MemoryLink,
  ranges: readonly ScanRange[],
  signal: AbortSignal | undefined,
): AsyncGenerator<RecordBlock> {
  const fixed = ranges.map(({ topic, partition, from, to }) => {
    const log = state.log(topic, partition)
    const first = from === 'earliest' ? log.start : from
    return { topic, partition, from: first, to: to === 'end' ? log.lastStableOffset : to }
  })
  for (const { topic, partition, from, to } of fixed) {
    for (let at = from; at < to; ) {
      signal?.throwIfAborted()
      await link.pass('fetch')
      // It may have been deleted, and made anew, while it was read.
      const block = limitBlock(state.log(topic, partition).read(at, SCAN_BYTES), to)
      // The range goes beyond what can be read so far.
      if (block.nextOffset === at) await link.backOff(signal)
      at = block.nextOffset
      if (block.count > 0) yield block
    }
  }
}
