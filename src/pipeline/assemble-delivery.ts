/** Builds what writes and commits: for at-least-once one part each, for exactly-once transactions do both. */
import { consumerGroups } from '../consumer-groups.ts'
import type { GroupMember, KafkaWriter, MemberEvents } from '../kafka/port.ts'
import { replayTopic } from '../kafka/topic-names.ts'
import type { RunParts } from '../run-parts.ts'
import type { Topology } from '../topology.ts'
import { Commits } from './commits.ts'
import { encodeFailure } from './dead-letter.ts'
import type { FailurePoints } from './failure-points.ts'
import { groupCommits, type UnitCommits } from './group-commits.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { PipelineParts } from './pipeline.ts'
import { transactionCommits } from './transaction-commits.ts'
import { TransactionalOutbox } from './transactional-outbox.ts'
import { TransactionalWriters } from './transactional-writers.ts'
import { type Outputs, UnitBuilder } from './unit-builder.ts'
import type { UnitOutbox } from './unit-outbox.ts'

type Events = Pick<OutboxOptions, 'onAcknowledged' | 'onQuiet' | 'onFatal'> &
  Pick<PipelineParts, 'onOutage' | 'onRecovered'> & {
    /** Somebody waits until what is in flight of this topic is committed. */
    readonly isDraining: (topic: string) => boolean
  }

export interface Delivery {
  readonly outbox: UnitOutbox
  readonly commits: UnitCommits
  /** Undefined: a partition needs nothing before it is assigned. */
  readonly beforeAssigned: MemberEvents['beforeAssigned']
  /** Admission holds this partition for want of credits. */
  paused(flow: PartitionFlow): void
  close(): Promise<void>
}

export function buildDelivery(
  topology: Topology,
  parts: RunParts,
  writer: KafkaWriter,
  points: FailurePoints,
  outputs: Outputs,
  member: Pick<GroupMember, 'commit' | 'alive' | 'restart'>,
  events: Events,
): Delivery {
  const { settings, clock, random, metrics, port } = parts
  const { processingGuarantee, commitIntervalMs, transactionTimeoutMs } = settings
  const { applicationId } = topology
  const builder = new UnitBuilder({
    provenance: topology.provenance,
    wallTime: () => clock.wallTime(),
    encodeFailure: (work, row, failure, maxBytes) =>
      encodeFailure(applicationId, clock.wallTime(), work, row, failure, maxBytes),
  })
  const refusedPoint = (sink: number) => points.ofSink(topology.sinks[sink]!)
  const common = { builder, outputs, member, clock, refusedPoint, ...events }
  const groupOf = groupsOf(topology)
  const onCommitted = ({ topic, partition, committed }: PartitionFlow) => metrics.committed(topic, partition, committed)
  if (processingGuarantee === 'at_least_once') {
    const outbox = new Outbox({ ...common, writer })
    return {
      outbox,
      commits: groupCommits(groupOf, () => new Commits(member, clock, commitIntervalMs, onCommitted, events.onFatal)),
      beforeAssigned: undefined,
      paused() {},
      close: async () => outbox.close(),
    }
  }
  const outbox = new TransactionalOutbox({
    ...common,
    random,
    metrics,
    commitIntervalMs,
    writers: new TransactionalWriters({ port, applicationId, timeoutMs: transactionTimeoutMs }),
    groupOf,
    // Half of its time is left for what comes before and after.
    searchMs: transactionTimeoutMs / 2,
  })
  return {
    outbox,
    commits: transactionCommits(onCommitted),
    beforeAssigned: partitions => outbox.beforeAssigned(partitions),
    paused: flow => outbox.advance(flow),
    close: () => outbox.close(),
  }
}

/** The group that reads a topic, or the replay topic of one. */
function groupsOf(topology: Topology): (topic: string) => string {
  const groups = new Map(
    consumerGroups(topology).flatMap(({ id, sources }) =>
      sources.flatMap(({ topic }) => [[topic, id] as const, [replayTopic(topology.applicationId, topic), id] as const]),
    ),
  )
  return topic => groups.get(topic)!
}
