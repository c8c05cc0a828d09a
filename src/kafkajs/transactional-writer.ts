/**
 * Transactions of one transactional id, one behind the other: unfenced → ready → open → ready → …, and from anywhere to
 * lost, from where only `fence` leads back, or to closed.
 *
 * T1 Nothing is sent in an epoch that was fenced or lost: every call rejects alike until `fence` has given a new one, whose
 *    sequences begin at 0.
 * T2 A batch is written once. A retry sends the identical bytes; the sequence of a partition moves on only when a batch was
 *    written, and goes on from one transaction of an epoch to the next, aborted ones too. Where it is not known whether a
 *    batch was written, the epoch is over.
 * T3 A send is over when the broker has answered for every partition; what it has not answered for is asked of whoever
 *    leads that partition by then.
 * T4 An offset commit or an end of a transaction whose answer is lost is not sent again: the broker may carry out the
 *    earlier request late, inside the next transaction of this epoch, and commit the wrong offset or half of that
 *    transaction. So the epoch is over (TRANSACTION_LOST). A lost answer to any other request is asked for again: a batch
 *    has its sequence, and a partition that is added late at worst opens a transaction that times out, which fences us.
 * T5 An outage is waited out as long as the transaction lasts: `timeoutMs` from its first call.
 * T6 A transaction ends before it is written out: that the next one is asked to wait (CONCURRENT_TRANSACTIONS) is the normal
 *    case, and takes milliseconds.
 * T7 `fence` and `close` end what is under way at once: no further request of it begins, and what was sent changes nothing.
 */
import { RunInferenceError } from '../errors.ts'
import type {
  PartitionOffset,
  SendResult,
  TopicPartition,
  TransactionalWriter,
  TransactionalWriterOptions,
} from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { partitionKey } from './partition-key.ts'
import type { ProducerIdentity } from './producer-identity.ts'
import { clientError } from './protocol-errors.ts'
import { type CoordinatorContext, type Patience, TransactionCoordinator } from './transaction-coordinator.ts'
import { TransactionProduce, type TransactionProduceContext } from './transaction-produce.ts'
import { transactionLost } from './transaction-verdict.ts'
import { untilAborted } from './until-aborted.ts'

/** How long one `fence` waits for a transaction to be ended, or a coordinator that is just moving. */
const FENCE_PATIENCE_MS = 5_000

export interface TransactionContext extends CoordinatorContext, TransactionProduceContext {
  readonly cluster: CoordinatorContext['cluster'] & TransactionProduceContext['cluster']
  /** To be called when the writer is closed. */
  readonly leave: () => void
}

interface Transaction {
  readonly openedAtMs: number
  readonly partitions: Set<string>
  readonly groups: Set<string>
  refused: boolean
}

/** `send` and `sendOffsets` may go side by side: the coordinator takes partitions and offsets in either order. */
type Call = 'send' | 'sendOffsets' | 'end'

/** What one `fence` gave; the next one begins another. */
interface Epoch {
  readonly over: AbortController
  /** Undefined until the fence is done. */
  identity: ProducerIdentity | undefined
  transaction: Transaction | undefined
  /** Calls under way. */
  readonly calls: Set<Call>
  /** Why nothing more can be done in it. */
  failure: RunInferenceError | undefined
}

export class TransactionWriter implements TransactionalWriter {
  readonly #context: TransactionContext
  readonly #options: TransactionalWriterOptions
  readonly #coordinator: TransactionCoordinator
  readonly #produce: TransactionProduce
  #epoch: Epoch = newEpoch()
  #closed = false

  constructor(context: TransactionContext, options: TransactionalWriterOptions) {
    this.#context = context
    this.#options = options
    this.#coordinator = new TransactionCoordinator(context, options.transactionalId)
    this.#produce = new TransactionProduce(context, options.transactionalId)
  }

  async fence(): Promise<void> {
    if (this.#closed) throw this.#closedError()
    const epoch = newEpoch()
    this.#epoch.over.abort(transactionLost(`${this.#name} was fenced anew meanwhile.`)) // T7
    this.#epoch = epoch
    const { signal } = epoch.over
    const deadlineMs = this.#context.clock.now() + FENCE_PATIENCE_MS
    const identity = await untilAborted(
      this.#coordinator.initProducerId(this.#options.timeoutMs, { deadlineMs, signal }),
      signal,
    )
    epoch.identity = identity
  }

  send(batches: readonly SealedBatch[]): Promise<readonly SendResult[]> {
    return this.#call('send', async epoch => {
      if (batches.length === 0) return []
      const keys = batches.map(({ topic, partition }) => partitionKey(topic, partition))
      if (new Set(keys).size < keys.length) throw this.#misuse('several batches for one partition in one call')
      const transaction = this.#opened(epoch)
      const patience = this.#patience(epoch, transaction)
      await this.#produce.locate(batches, patience)
      await this.#addPartitions(epoch, transaction, batches)
      const results = await this.#produce.send(batches, epoch.identity!, patience)
      if (results.some(({ outcome }) => outcome === 'refused')) transaction.refused = true
      return results
    })
  }

  sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#call('sendOffsets', async epoch => {
      if (offsets.length === 0) return
      const transaction = this.#opened(epoch)
      const patience = this.#patience(epoch, transaction)
      const identity = epoch.identity!
      if (!transaction.groups.has(groupId)) {
        await this.#coordinator.addOffsets(identity, groupId, patience)
        transaction.groups.add(groupId)
      }
      await this.#coordinator.commitOffsets(identity, groupId, offsets, patience)
    })
  }

  commit(): Promise<void> {
    return this.#call('end', epoch => {
      if (epoch.transaction?.refused) throw this.#misuse('a transaction with a refused batch can only be aborted')
      return this.#end(epoch, 'commit')
    })
  }

  abort(): Promise<void> {
    return this.#call('end', epoch => this.#end(epoch, 'abort'))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#epoch.over.abort(this.#closedError())
    this.#context.leave()
  }

  async #addPartitions(epoch: Epoch, transaction: Transaction, wanted: readonly TopicPartition[]): Promise<void> {
    const { partitions } = transaction
    const added = wanted.filter(({ topic, partition }) => !partitions.has(partitionKey(topic, partition)))
    if (added.length === 0) return
    await this.#coordinator.addPartitions(epoch.identity!, added, this.#patience(epoch, transaction))
    for (const { topic, partition } of added) partitions.add(partitionKey(topic, partition))
  }

  async #end(epoch: Epoch, end: 'commit' | 'abort'): Promise<void> {
    const { transaction } = epoch
    if (transaction === undefined) return
    await this.#coordinator.end(epoch.identity!, end, this.#patience(epoch, transaction))
    epoch.transaction = undefined
  }

  #opened(epoch: Epoch): Transaction {
    epoch.transaction ??= {
      openedAtMs: this.#context.clock.now(),
      partitions: new Set(),
      groups: new Set(),
      refused: false,
    }
    return epoch.transaction
  }

  /** T5 */
  #patience({ over }: Epoch, { openedAtMs }: Transaction): Patience {
    return { deadlineMs: openedAtMs + this.#options.timeoutMs, signal: over.signal }
  }

  /** One call of a kind at a time, an end alone, and none after what cannot be mended (T1). */
  async #call<T>(call: Call, run: (epoch: Epoch) => Promise<T>): Promise<T> {
    const epoch = this.#epoch
    if (this.#closed) throw this.#closedError()
    if (epoch.failure) throw epoch.failure
    if (epoch.identity === undefined) throw transactionLost(`${this.#name} was not fenced.`)
    const { calls } = epoch
    if (calls.has(call) || calls.has('end') || (call === 'end' && calls.size > 0))
      throw this.#misuse('a call came before the one before was over')
    calls.add(call)
    try {
      return await untilAborted(run(epoch), epoch.over.signal)
    } catch (error) {
      if (isMisuse(error)) throw error
      epoch.failure ??= this.#verdict(epoch, clientError(error, this.#name))
      epoch.over.abort(epoch.failure) // T1: also for a call beside this one
      throw epoch.failure
    } finally {
      calls.delete(call)
    }
  }

  /** The broker ends a transaction that took too long as if somebody else had taken the id over. */
  #verdict({ transaction }: Epoch, failure: RunInferenceError): RunInferenceError {
    const { timeoutMs } = this.#options
    const openMs = transaction === undefined ? 0 : this.#context.clock.now() - transaction.openedAtMs
    if (failure.code !== 'TRANSACTION_FENCED' || openMs < timeoutMs) return failure
    const why = `it had been open for ${Math.round(openMs)} ms, and is allowed ${timeoutMs} ms`
    return transactionLost(`${this.#name}: the broker has probably ended this transaction: ${why}.`, failure)
  }

  get #name(): string {
    return `Transactional id '${this.#options.transactionalId}'`
  }

  #closedError(): RunInferenceError {
    return new RunInferenceError('CLOSED', `${this.#name}: the writer was closed.`)
  }

  #misuse(what: string): RunInferenceError {
    const error = new RunInferenceError('BUG', `${this.#name}: ${what}.`)
    misuses.add(error)
    return error
  }
}

function newEpoch(): Epoch {
  return {
    over: new AbortController(),
    identity: undefined,
    transaction: undefined,
    calls: new Set(),
    failure: undefined,
  }
}

/** A mistake of the caller, before anything was sent: the epoch goes on. */
const misuses = new WeakSet<object>()

function isMisuse(error: unknown): boolean {
  return typeof error === 'object' && error !== null && misuses.has(error)
}
