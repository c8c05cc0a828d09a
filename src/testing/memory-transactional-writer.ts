/**
 * A writer of transactions on the broker in memory.
 *
 * 1. What was fenced, lost or refused for good stays so until the next `fence`: every call rejects alike.
 * 2. A call that a `fence` has overtaken does nothing more, and rejects.
 * 3. A retry sends the identical bytes; a refused batch uses up no sequence; sequences go on from one transaction to the next.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { PartitionOffset, SendResult, TransactionalWriter, TransactionalWriterOptions } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { stampProducer } from '../kafka/record-batch-stamp.ts'
import { sleep } from '../ops/clock.ts'
import { partitionKey } from './memory-assignment.ts'
import type { TransactionEnd } from './memory-control-batch.ts'
import type { LosablePoint } from './memory-faults.ts'
import type { MemoryLink } from './memory-link.ts'
import { isSenderError } from './memory-log.ts'
import type { MemoryState } from './memory-state.ts'
import type { ProducerIdentity, TransactionError } from './memory-transactions.ts'

const SEQUENCES = 2 ** 31
/** After this time the broker is asked again whether the transaction before is over. */
const CONCURRENT_RETRY_MS = 4

type Call = 'send' | 'sendOffsets' | 'end'

/** From one fence to the next. */
interface Tenure {
  readonly identity: ProducerIdentity
  readonly sequences: Map<string, number>
  /** When the transaction was opened; undefined: none is open. */
  openedAtMs: number | undefined
  hasRefused: boolean
  /** Calls under way. */
  readonly calls: Set<Call>
  /** Why nothing more can be done before the next fence. */
  broken: RunInferenceError | undefined
}

export class MemoryTransactionalWriter implements TransactionalWriter {
  readonly #state: MemoryState
  readonly #link: MemoryLink
  readonly #options: TransactionalWriterOptions
  readonly #closed = new AbortController()
  #tenure: Tenure | undefined

  constructor(state: MemoryState, link: MemoryLink, options: TransactionalWriterOptions) {
    this.#state = state
    this.#link = link
    this.#options = options
  }

  async fence(): Promise<void> {
    const { faults, transactions, clock } = this.#state
    const { transactionalId, timeoutMs } = this.#options
    this.#tenure = undefined
    for (;;) {
      this.#refuseWhenClosed()
      await this.#link.pass('fence')
      const identity = transactions.begin(transactionalId, timeoutMs)
      if (faults.takeLostResponse('fence'))
        throw new RunInferenceError('BROKER_UNAVAILABLE', `The answer to the fence of ${transactionalId} was lost`)
      this.#refuseWhenClosed()
      if (identity !== 'CONCURRENT_TRANSACTIONS') {
        const [sequences, calls] = [new Map<string, number>(), new Set<Call>()]
        this.#tenure = { identity, sequences, calls, openedAtMs: undefined, hasRefused: false, broken: undefined }
        return
      }
      await sleep(clock, CONCURRENT_RETRY_MS, this.#closed.signal)
    }
  }

  send(batches: readonly SealedBatch[]): Promise<readonly SendResult[]> {
    return this.#call('send', async tenure => {
      const keys = batches.map(({ topic, partition }) => partitionKey(topic, partition))
      if (new Set(keys).size < keys.length) throw this.#bug('several batches for one partition were sent in one call')
      if (batches.length > 0) tenure.openedAtMs ??= this.#state.clock.now()
      const results = await Promise.all(batches.map((batch, i) => this.#sendOne(tenure, keys[i]!, batch)))
      if (results.some(({ outcome }) => outcome === 'refused')) tenure.hasRefused = true
      return results
    })
  }

  sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#call('sendOffsets', async tenure => {
      if (offsets.length === 0) return
      tenure.openedAtMs ??= this.#state.clock.now()
      const entries = offsets.map(({ topic, partition, offset, metadata = '' }) => {
        return [partitionKey(topic, partition), { offset, metadata }] as const
      })
      const { transactions } = this.#state
      await this.#request(tenure, 'sendOffsets', () =>
        transactions.addOffsets(this.#options.transactionalId, tenure.identity, groupId, entries),
      )
    })
  }

  commit(): Promise<void> {
    return this.#call('end', async tenure => {
      if (tenure.hasRefused) throw this.#bug('a transaction with a refused batch was to be committed')
      await this.#end(tenure, 'commit')
    })
  }

  abort(): Promise<void> {
    return this.#call('end', tenure => this.#end(tenure, 'abort'))
  }

  async close(): Promise<void> {
    this.#closed.abort()
  }

  async #sendOne(tenure: Tenure, key: string, batch: SealedBatch): Promise<SendResult> {
    const sequence = tenure.sequences.get(key) ?? 0
    const { producerId, epoch } = tenure.identity
    stampProducer(batch.bytes, producerId, epoch, sequence, { transactional: true })
    const result = await this.#request(tenure, 'transactionSend', () => this.#write(tenure, batch))
    if (result.outcome === 'acknowledged') tenure.sequences.set(key, (sequence + batch.count) % SEQUENCES)
    return result
  }

  #write({ identity }: Tenure, batch: SealedBatch): SendResult | TransactionError {
    const { faults, clock, transactions } = this.#state
    const log = this.#state.log(batch.topic, batch.partition)
    const error = transactions.add(this.#options.transactionalId, identity, log)
    if (error !== undefined) return error
    const code = faults.refusalOf(batch)
    if (code !== undefined) return { outcome: 'refused', reason: code }
    const appended = log.append(batch.bytes, this.#state.topic(batch.topic).configs, clock.wallTime())
    if (appended.stored) return { outcome: 'acknowledged', baseOffset: appended.baseOffset }
    if (!isSenderError(appended.error)) return { outcome: 'refused', reason: appended.error }
    return appended.error === 'INVALID_PRODUCER_EPOCH' ? 'FENCED' : 'INVALID_TXN_STATE'
  }

  async #end(tenure: Tenure, end: TransactionEnd): Promise<void> {
    if (tenure.openedAtMs === undefined) return
    const { transactions } = this.#state
    await this.#request(tenure, 'endTransaction', () =>
      transactions.end(this.#options.transactionalId, tenure.identity, end),
    )
    tenure.openedAtMs = undefined
    tenure.hasRefused = false
  }

  /** One call of a kind at a time, an end alone, and none after what cannot be mended. */
  async #call<T>(call: Call, run: (tenure: Tenure) => Promise<T>): Promise<T> {
    this.#refuseWhenClosed()
    const tenure = this.#tenure
    if (tenure === undefined) throw this.#lost('it was not fenced')
    this.#refuseWhenOver(tenure)
    const { calls } = tenure
    if (calls.has(call) || calls.has('end') || (call === 'end' && calls.size > 0))
      throw this.#bug('a call came before the one before was over')
    calls.add(call)
    try {
      return await run(tenure)
    } finally {
      calls.delete(call)
    }
  }

  /** Asks until there is an answer, or until the transaction must have timed out. */
  async #request<T extends SendResult | undefined>(
    tenure: Tenure,
    point: LosablePoint,
    run: () => T | TransactionError,
  ): Promise<Exclude<T, TransactionError>> {
    const { faults, clock } = this.#state
    const deadlineMs = tenure.openedAtMs! + this.#options.timeoutMs
    for (;;) {
      this.#refuseWhenOver(tenure)
      let answer: T | TransactionError | 'NONE' = 'NONE'
      try {
        await this.#link.pass(point)
        // What was on its way arrives, whatever has become of its sender.
        answer = run()
        this.#refuseWhenOver(tenure)
        if (faults.takeLostResponse(point)) answer = 'NONE'
      } catch (error) {
        if (!isRetriable(error) || isOutcome(error)) throw this.#broken(tenure, error)
      }
      if (answer === 'FENCED') throw this.#broken(tenure, this.#fenced())
      if (answer === 'TIMED_OUT') throw this.#broken(tenure, this.#lost('the broker ended it after its time-out'))
      if (answer === 'INVALID_TXN_STATE') throw this.#broken(tenure, this.#lost('the broker has it otherwise'))
      if (answer !== 'NONE' && answer !== 'CONCURRENT_TRANSACTIONS') return answer as Exclude<T, TransactionError>
      if (clock.now() >= deadlineMs) throw this.#broken(tenure, this.#lost('the broker has not answered in time'))
      if (answer === 'NONE') await this.#link.backOff(this.#closed.signal)
      else await sleep(clock, CONCURRENT_RETRY_MS, this.#closed.signal)
    }
  }

  #broken(tenure: Tenure, error: unknown): RunInferenceError {
    tenure.broken ??= RunInferenceError.from(error, 'BUG')
    return tenure.broken
  }

  #refuseWhenOver(tenure: Tenure): void {
    this.#refuseWhenClosed()
    if (tenure.broken !== undefined) throw tenure.broken
    if (tenure !== this.#tenure) throw this.#lost('it was fenced anew meanwhile')
  }

  #refuseWhenClosed(): void {
    if (this.#closed.signal.aborted) throw new RunInferenceError('CLOSED', 'The transactional writer was closed')
  }

  #lost(why: string): RunInferenceError {
    return new RunInferenceError('TRANSACTION_LOST', `Transaction of ${this.#options.transactionalId}: ${why}`)
  }

  #fenced(): RunInferenceError {
    return new RunInferenceError('TRANSACTION_FENCED', `${this.#options.transactionalId} was taken over`)
  }

  #bug(what: string): RunInferenceError {
    return new RunInferenceError('BUG', `Transaction of ${this.#options.transactionalId}: ${what}`)
  }
}

/** True for errors that already say what became of the transaction. */
function isOutcome(error: unknown): boolean {
  const { code } = error as RunInferenceError
  return code === 'TRANSACTION_LOST' || code === 'TRANSACTION_FENCED'
}
