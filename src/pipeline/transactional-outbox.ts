/**
 * Writes commit units in transactions (I9): what stands in the place of `outbox.ts` under exactly-once.
 *
 * Each owned partition has a writer under a transactional id of its own. Whoever is given a partition fences that id before
 * it looks at what is committed: from then on nobody else can add to what readers see of the partition, or move its offset.
 * A transaction carries whole units of one partition with the offset behind them (`transaction.ts`), so results are first
 * scattered back to their partition, and no transaction waits for inference.
 *
 * X1. Readers see the outputs of a row once, together with the offset behind it, or not at all.
 * X2. Units are acknowledged (credits, metrics, committed offset) only after the commit of their transaction.
 * X3. A partition has one transaction open at most, and its rows go in source order.
 * X4. One begins when something is ready and the one before ended `commitIntervalMs` ago or more; at once when a drain waits,
 *     or the partition is paused for want of credits and half of what it holds is ready.
 * X5. A refused batch: its outputs that are refused become dead letters of their rows, in a transaction that is built anew.
 * X6. Nothing is sent for a lost partition, nor by a member whose session may be over (I8).
 * X7. When it is not known how a transaction ended, or somebody else has the id, the partition is given up and taken again:
 *     everything of its epoch is dropped, and read once more from what is committed. Longer each time that it is lost again.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { GroupMember, TopicPartition } from '../kafka/port.ts'
import { sleep } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { sendPermits } from './send-permits.ts'
import { Transaction, type TransactionEnd, type TransactionParts, waitingRows } from './transaction.ts'
import type { TransactionalWriters } from './transactional-writers.ts'
import type { CommitUnit } from './unit-builder.ts'

/** Before a partition is taken over anew that was lost again, with nothing committed in between. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 10_000
/** Under which name health and log tell of it. */
const TRANSACTIONS = 'transactions'

export interface TransactionalOutboxOptions extends Omit<TransactionParts, 'maySend'> {
  readonly writers: TransactionalWriters
  readonly member: Pick<GroupMember, 'alive' | 'restart'>
  readonly random: () => number
  /** The least time from the end of a partition's transaction to the begin of its next one; milliseconds. */
  readonly commitIntervalMs: number
  /** Somebody waits until what is in flight of this topic is committed. */
  readonly isDraining: (topic: string) => boolean
  readonly metrics: Pick<PipelineMetrics, 'transactionBegan' | 'transactionEnded'>
  /** All records of the unit are committed. */
  readonly onAcknowledged: (unit: CommitUnit) => void
  /** A transaction has ended, and no other one of its partition is under way. */
  readonly onQuiet?: () => void
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  /** Nothing will help: authorisation, a missing topic, a bug. */
  readonly onFatal: (error: unknown) => void
}

export class TransactionalOutbox {
  readonly #options: TransactionalOutboxOptions
  readonly #parts: TransactionParts
  /** Until when no further transaction of a partition begins; in the order in which these times come (X4). */
  readonly #resting = new Map<PartitionFlow, number>()
  /** Of each partition, by its name: how often it was lost with nothing committed in between (X7). */
  readonly #losses = new Map<string, number>()
  #cancelTimer: (() => void) | undefined
  /** Partitions, by their names, that are being taken over anew. */
  readonly #troubled = new Set<string>()
  #isRestarting = false
  #closed = false

  constructor(options: TransactionalOutboxOptions) {
    this.#options = options
    const { member, clock } = options
    const { wait } = sendPermits(member, clock, () => this.#closed)
    this.#parts = { ...options, maySend: wait }
  }

  /** Before these are assigned: nobody else commits for them from now on. Rejects when that cannot be said. */
  async beforeAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#options.writers.fence(partitions)
    this.#recovered(partitions)
  }

  /** Rows of this partition may have become done: begins a transaction when it is time for one. */
  advance(flow: PartitionFlow): void {
    if (flow.sending || flow.lost || this.#closed || !isReady(flow)) return
    if (this.#resting.has(flow) && !this.#isUrgent(flow)) return
    this.#resting.delete(flow)
    flow.sending = true
    this.#write(flow)
      .then(() => {
        flow.sending = false
        this.#rest(flow)
        this.advance(flow)
        if (!flow.sending) this.#options.onQuiet?.()
      })
      // `sending` may stay set: nothing more leaves this partition while the application ends.
      .catch(this.#options.onFatal)
  }

  /** The partition is gone, and everything that was taken of it. */
  lost(flow: PartitionFlow): void {
    const { writers } = this.#options
    this.#resting.delete(flow)
    writers.drop(flow)
    if (this.#isRestarting) return
    // Whoever has it now has its troubles too.
    this.#losses.delete(idOf(flow))
    this.#recovered([flow])
  }

  /** A rebalance is over: what was to be taken anew, and was not, belongs to others. */
  joined(topics: ReadonlySet<string>, owned: readonly TopicPartition[]): void {
    const names = new Set(owned.map(idOf))
    const isGone = (name: string) => topics.has(name.slice(0, name.lastIndexOf('/'))) && !names.has(name)
    const gone = [...this.#troubled].filter(isGone)
    for (const name of gone) this.#troubled.delete(name)
    if (gone.length > 0 && this.#troubled.size === 0) this.#options.onRecovered(TRANSACTIONS)
  }

  /** Nothing is sent any more; what is open is ended by whoever fences it next, or by its time-out. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#options.writers.close()
  }

  /** X4 */
  #isUrgent(flow: PartitionFlow): boolean {
    if (this.#options.isDraining(flow.topic)) return true
    if (!flow.paused) return false
    const { ready, all } = waitingRows(flow)
    return 2 * ready >= all
  }

  #rest(flow: PartitionFlow): void {
    if (flow.lost || this.#closed) return
    const { clock, commitIntervalMs } = this.#options
    this.#resting.set(flow, clock.now() + commitIntervalMs)
    this.#cancelTimer ??= clock.after(commitIntervalMs, () => this.#wake())
  }

  #wake(): void {
    const { clock } = this.#options
    this.#cancelTimer = undefined
    const now = clock.now()
    for (const [flow, until] of this.#resting) {
      if (until > now) {
        this.#cancelTimer = clock.after(until - now, () => this.#wake())
        return
      }
      this.#resting.delete(flow)
      this.advance(flow)
    }
  }

  /** One transaction, or several when outputs are refused (X5). */
  async #write(flow: PartitionFlow): Promise<void> {
    const { writers, onAcknowledged } = this.#options
    const writer = writers.of(flow)
    for (let limits: Transaction['limits'] | undefined; ; ) {
      const transaction: Transaction = new Transaction(flow, writer, this.#parts, limits)
      const end = await this.#told(flow, transaction)
      if (this.#isOver(flow) || end === 'dropped') return
      limits = transaction.limits
      if (end === 'aborted') continue
      this.#losses.delete(idOf(flow))
      this.#recovered([flow])
      onAcknowledged(transaction.unit)
      return
    }
  }

  /** Runs it to its end, which is told. One that is lost is taken over (X7). */
  async #told(flow: PartitionFlow, transaction: Transaction): Promise<TransactionEnd> {
    const { clock, metrics } = this.#options
    const begunAtMs = clock.now()
    metrics.transactionBegan(flow.topic)
    const tell = (end: 'committed' | 'aborted' | 'lost' | 'fenced') =>
      metrics.transactionEnded(flow.topic, end, clock.now() - begunAtMs)
    try {
      const end = await transaction.run()
      tell(end === 'dropped' ? 'lost' : end)
      return end
    } catch (error) {
      tell(error instanceof RunInferenceError && error.code === 'TRANSACTION_FENCED' ? 'fenced' : 'lost')
      // Of a partition that is gone every answer is the same: its writer was closed under way.
      if (this.#isOver(flow)) return 'dropped'
      if (!isRetriable(error)) throw error
      await this.#takeOver(flow, error)
      return 'dropped'
    }
  }

  /** X7 */
  async #takeOver(flow: PartitionFlow, error: unknown): Promise<void> {
    const { member, clock, random, onOutage } = this.#options
    this.#troubled.add(idOf(flow))
    onOutage(TRANSACTIONS, error)
    const losses = this.#losses.get(idOf(flow)) ?? 0
    this.#losses.set(idOf(flow), losses + 1)
    const delayMs = losses === 0 ? 0 : Math.min(FIRST_RETRY_MS * 2 ** (losses - 1), MAX_RETRY_MS)
    if (delayMs > 0) await sleep(clock, delayMs * (0.5 + random() / 2))
    if (this.#isOver(flow)) return
    this.#isRestarting = true
    try {
      member.restart(flow)
    } finally {
      this.#isRestarting = false
    }
  }

  #recovered(partitions: readonly TopicPartition[]): void {
    if (this.#troubled.size === 0) return
    for (const partition of partitions) this.#troubled.delete(idOf(partition))
    if (this.#troubled.size === 0) this.#options.onRecovered(TRANSACTIONS)
  }

  #isOver(flow: PartitionFlow): boolean {
    return flow.lost || this.#closed
  }
}

/** Whether a transaction would hold anything: a row that is done, or a block that had none. */
function isReady({ blocks: [first] }: PartitionFlow): boolean {
  return first !== undefined && (first.block.count === 0 || first.donePrefix > first.emitted)
}

function idOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
