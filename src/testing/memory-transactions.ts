/**
 * The transaction coordinator of the broker in memory.
 *
 * 1. Who has begun last under a transactional id has it: a producer id and an epoch. Requests of everybody before are
 *    refused, also by the logs that have seen the newer epoch.
 * 2. The end of a transaction is decided first, and written into its logs and groups afterwards, all at once; until then
 *    the id can neither be used nor taken over (CONCURRENT_TRANSACTIONS).
 * 3. An end that was decided is confirmed again when it is asked for again; the other end is refused.
 * 4. A transaction that is open for longer than its time-out is aborted, and its producer refused; while there is no broker
 *    nobody looks at the clock.
 */
import type { GroupCommit } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { TransactionEnd } from './memory-control-batch.ts'
import type { MemoryFaults } from './memory-faults.ts'
import type { MemoryGroup } from './memory-group.ts'
import type { MemoryLog } from './memory-log.ts'

export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

export type TransactionError = 'CONCURRENT_TRANSACTIONS' | 'FENCED' | 'TIMED_OUT' | 'INVALID_TXN_STATE'

interface Transactional {
  identity: ProducerIdentity
  timeoutMs: number
  phase: 'idle' | 'open' | 'ending'
  /** How the last transaction ended, or is about to end. */
  end: TransactionEnd | undefined
  /** The epoch of an owner whose transaction was open for too long, until somebody has the id anew. */
  timedOutEpoch: number
  readonly logs: Set<MemoryLog>
  /** By group id and partition key; committed with the transaction. */
  readonly offsets: Map<string, Map<string, GroupCommit>>
  cancelTimeout: () => void
}

interface TransactionsContext {
  readonly clock: Clock
  readonly faults: MemoryFaults
  readonly producerId: () => number
  readonly groupOf: (groupId: string) => Pick<MemoryGroup, 'store'>
  /** The records of a transaction can be read, or never will be. */
  readonly onEnded: () => void
}

/** Epochs are 16 bits; with the last of them an id gets a new producer id. */
const LAST_EPOCH = 2 ** 15 - 2

export class MemoryTransactions {
  readonly #context: TransactionsContext
  readonly #byId = new Map<string, Transactional>()

  constructor(context: TransactionsContext) {
    this.#context = context
  }

  get open(): readonly string[] {
    return [...this.#byId].flatMap(([id, { phase }]) => (phase === 'open' ? [id] : []))
  }

  /** Whether one of these offsets, by partition key, is part of a transaction that has not ended. */
  hasPending(groupId: string, keys: readonly string[]): boolean {
    return [...this.#byId.values()].some(({ offsets }) => keys.some(key => offsets.get(groupId)?.has(key)))
  }

  /** Gives the id to who asks; what is open is aborted first, and what is ending is waited for. */
  begin(transactionalId: string, timeoutMs: number): ProducerIdentity | 'CONCURRENT_TRANSACTIONS' {
    const known = this.#byId.get(transactionalId)
    if (known === undefined) {
      const identity = { producerId: this.#context.producerId(), epoch: 0 }
      const { logs, offsets } = { logs: new Set<MemoryLog>(), offsets: new Map<string, Map<string, GroupCommit>>() }
      const fresh = { phase: 'idle', end: undefined, timedOutEpoch: -1, cancelTimeout: () => {} } as const
      this.#byId.set(transactionalId, { ...fresh, identity, timeoutMs, logs, offsets })
      return identity
    }
    if (known.phase === 'open') this.#abortForOwner(known)
    if (known.phase !== 'idle') return 'CONCURRENT_TRANSACTIONS'
    known.timeoutMs = timeoutMs
    known.timedOutEpoch = -1
    known.end = undefined
    this.#nextEpoch(known)
    return known.identity
  }

  /** This log takes part in the transaction, which opens if it was not open. */
  add(transactionalId: string, identity: ProducerIdentity, log: MemoryLog): TransactionError | undefined {
    return this.#join(transactionalId, identity, ({ logs }) => void logs.add(log))
  }

  /** These offsets, by partition key, take part in the transaction, which opens if it was not open. */
  addOffsets(
    transactionalId: string,
    identity: ProducerIdentity,
    groupId: string,
    entries: readonly (readonly [key: string, commit: GroupCommit])[],
  ): TransactionError | undefined {
    return this.#join(transactionalId, identity, ({ offsets }) => {
      const pending = offsets.get(groupId) ?? new Map<string, GroupCommit>()
      for (const [key, commit] of entries) pending.set(key, commit)
      offsets.set(groupId, pending)
    })
  }

  /** Undefined: decided. */
  end(transactionalId: string, identity: ProducerIdentity, end: TransactionEnd): TransactionError | undefined {
    const known = this.#byId.get(transactionalId)
    if (known === undefined) return 'FENCED'
    const error = standing(known, identity)
    if (error !== undefined) return error
    if (known.phase === 'open') {
      this.#decide(known, end)
      return undefined
    }
    if (known.end !== end) return 'INVALID_TXN_STATE'
    return known.phase === 'ending' ? 'CONCURRENT_TRANSACTIONS' : undefined
  }

  /** Aborts what is open under this id, and refuses its producer from now on. */
  timeOut(transactionalId: string): void {
    const known = this.#byId.get(transactionalId)
    if (known?.phase !== 'open') return
    const { epoch } = known.identity
    this.#abortForOwner(known)
    known.timedOutEpoch = epoch
  }

  #join(
    transactionalId: string,
    identity: ProducerIdentity,
    join: (known: Transactional) => void,
  ): TransactionError | undefined {
    const known = this.#byId.get(transactionalId)
    if (known === undefined) return 'FENCED'
    const error = standing(known, identity)
    if (error !== undefined) return error
    if (known.phase === 'ending') return 'CONCURRENT_TRANSACTIONS'
    if (known.phase === 'idle') this.#open(transactionalId, known)
    join(known)
    return undefined
  }

  #open(transactionalId: string, known: Transactional): void {
    const { clock, faults } = this.#context
    known.phase = 'open'
    known.end = undefined
    let isOver = false
    const cancel = clock.after(known.timeoutMs, () => {
      void faults.whenUp().then(() => {
        if (!isOver) this.timeOut(transactionalId)
      })
    })
    known.cancelTimeout = () => {
      isOver = true
      cancel()
    }
  }

  /** Aborts under the next epoch, so that the owner is refused at once. */
  #abortForOwner(known: Transactional): void {
    this.#nextEpoch(known)
    this.#decide(known, 'abort')
  }

  #nextEpoch(known: Transactional): void {
    const { producerId, epoch } = known.identity
    const isLast = epoch >= LAST_EPOCH && known.phase === 'idle'
    known.identity = isLast ? { producerId: this.#context.producerId(), epoch: 0 } : { producerId, epoch: epoch + 1 }
  }

  #decide(known: Transactional, end: TransactionEnd): void {
    known.cancelTimeout()
    known.phase = 'ending'
    known.end = end
    void this.#write(known, end)
  }

  async #write(known: Transactional, end: TransactionEnd): Promise<void> {
    const { clock, faults, groupOf, onEnded } = this.#context
    await faults.passMarkers()
    for (const log of known.logs) log.endTransaction(known.identity, end, clock.wallTime())
    if (end === 'commit') {
      for (const [groupId, pending] of known.offsets) {
        const group = groupOf(groupId)
        for (const [key, commit] of pending) group.store(key, commit)
      }
    }
    known.logs.clear()
    known.offsets.clear()
    known.phase = 'idle'
    onEnded()
  }
}

/** Undefined: the id is this producer's. */
function standing(known: Transactional, { producerId, epoch }: ProducerIdentity): TransactionError | undefined {
  const { identity, timedOutEpoch } = known
  if (identity.producerId === producerId && identity.epoch === epoch) return undefined
  return identity.producerId === producerId && timedOutEpoch === epoch ? 'TIMED_OUT' : 'FENCED'
}
