import type { RunInferenceError } from '../../src/errors.ts'
import type { TopicPartition } from '../../src/kafka/port.ts'
import { encodeFailure } from '../../src/pipeline/dead-letter.ts'
import { OutputTarget } from '../../src/pipeline/output-target.ts'
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import type { FailurePoint } from '../../src/pipeline/stage.ts'
import { TransactionalOutbox, type TransactionalOutboxOptions } from '../../src/pipeline/transactional-outbox.ts'
import { TransactionalWriters } from '../../src/pipeline/transactional-writers.ts'
import { type CommitUnit, type Outputs, UnitBuilder } from '../../src/pipeline/unit-builder.ts'
import type { ManualClock } from '../../src/testing/index.ts'
import type { RecordingTransactions } from './recording-transactions.ts'

export const GROUP = 'app'
export const LETTERS = 't.s.failed-postprocess'
export const NOW = 10_000_000_000

export const refusedPoint: FailurePoint = {
  topic: LETTERS,
  stage: 'postprocess',
  step: 's',
  node: 'to out',
  listeners: [],
}

/** A transactional outbox with what stands around it in an instance: what a member and a pipeline do is done by the test. */
export interface OutboxInstance {
  readonly outbox: TransactionalOutbox
  readonly outputs: Outputs
  readonly units: readonly CommitUnit[]
  readonly fatal: readonly unknown[]
  /** How each transaction ended, `topic end`. */
  readonly ends: readonly string[]
  /** Transactions that were begun and have not ended. */
  readonly underWay: number
  /** Flows of which a restart was asked for. */
  readonly restarts: readonly PartitionFlow[]
  /** What is waited for, as health shows it. */
  readonly problems: ReadonlySet<string>
  isAlive: boolean
  isDraining: boolean
  /** Fences, and says where the partition goes on. */
  assigned(partition: TopicPartition): Promise<number>
  lose(flow: PartitionFlow): void
}

export function outboxInstance(
  clock: ManualClock,
  brokers: RecordingTransactions,
  change: Partial<TransactionalOutboxOptions> & { readonly maxBatchBytes?: number } = {},
): OutboxInstance {
  const units: CommitUnit[] = []
  const fatal: unknown[] = []
  const ends: string[] = []
  const restarts: PartitionFlow[] = []
  const problems = new Set<string>()
  const counts = { underWay: 0 }
  const described = { partitions: 2, maxMessageBytes: (change.maxBatchBytes ?? 100_000) + 1024 }
  const outputs: Outputs = {
    outlets: ['out', 'other'].map((topic, sink) => ({
      ...{ column: sink, sink, between: false },
      target: new OutputTarget(topic, described, true),
    })),
    deadLetters: new Map([[LETTERS, new OutputTarget(LETTERS, { partitions: 2, maxMessageBytes: 100_000 }, true)]]),
  }
  const instance: OutboxInstance = {
    outputs,
    units,
    fatal,
    ends,
    restarts,
    problems,
    get underWay() {
      return counts.underWay
    },
    isAlive: true,
    isDraining: false,
    outbox: new TransactionalOutbox({
      builder: new UnitBuilder({
        provenance: true,
        wallTime: () => NOW,
        encodeFailure: (work, at, failure, maxBytes) => encodeFailure('app', NOW, work, at, failure, maxBytes),
      }),
      outputs,
      clock,
      random: () => 1,
      writers: new TransactionalWriters({ port: brokers.port, applicationId: GROUP, timeoutMs: 15_000 }),
      groupOf: () => GROUP,
      searchMs: 7_500,
      commitIntervalMs: 100,
      refusedPoint: () => refusedPoint,
      member: {
        alive: () => instance.isAlive,
        restart: partition => {
          restarts.push(partition as PartitionFlow)
          instance.lose(partition as PartitionFlow)
        },
      },
      isDraining: () => instance.isDraining,
      metrics: {
        transactionBegan: () => void counts.underWay++,
        transactionEnded(topic, end) {
          counts.underWay--
          ends.push(`${topic} ${end}`)
        },
      },
      onAcknowledged(unit) {
        units.push(unit)
        unit.flow.committable = unit.nextOffset
        const isDone = (work: object) =>
          unit.ranges.some(range => range.work === work && range.to === range.work.block.count)
        const left = unit.flow.blocks.filter(work => !isDone(work))
        unit.flow.blocks.splice(0, unit.flow.blocks.length, ...left)
      },
      onOutage: (what, error) => void problems.add(`${what}: ${(error as RunInferenceError).code}`),
      onRecovered: () => problems.clear(),
      onFatal: error => void fatal.push(error),
      ...change,
    }),
    async assigned(partition) {
      await instance.outbox.beforeAssigned([partition])
      return brokers.offsets.get(`${GROUP} ${partition.topic}/${partition.partition}`) ?? 0
    },
    lose(flow) {
      if (flow.lost) return
      flow.lost = true
      flow.blocks.length = 0
      instance.outbox.lost(flow)
    },
  }
  return instance
}
