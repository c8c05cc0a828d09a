import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort, SendResult, TransactionalWriter } from '../../src/kafka/port.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { recordsOf, storedBatch, type TestRecord } from './record-batches.ts'

/** Where a call can be held up, or its transaction lost: `committed` is behind the commit, whose answer is lost. */
export type TransactionPoint = 'fence' | 'send' | 'offsets' | 'commit' | 'committed' | 'abort'

export interface RecordingTransactions {
  readonly port: Pick<KafkaPort, 'transactionalWriter'>
  /** What readers see of a partition, `topic/partition`, in order. */
  readonly logs: ReadonlyMap<string, readonly TestRecord[]>
  /** What is committed for a partition of a group, `group topic/partition`. */
  readonly offsets: ReadonlyMap<string, number>
  /** Every call that came through, `send app-in-0`. */
  readonly calls: readonly string[]
  /** Ids of writers that were closed. */
  readonly closed: readonly string[]
  /** Ids of the transactions that are open. */
  readonly open: readonly string[]
  /** The next call that comes to this point is rejected with this error. */
  failNext(point: TransactionPoint, error: RunInferenceError): void
  /** Calls wait here until the returned function is called. */
  hold(point: TransactionPoint): () => void
}

interface Identity {
  epoch: number
  open:
    | { readonly batches: SealedBatch[]; readonly offsets: (readonly [string, number])[]; isSpoilt: boolean }
    | undefined
}

export const lost = () => new RunInferenceError('TRANSACTION_LOST', 'asked for by the test')
export const fenced = () => new RunInferenceError('TRANSACTION_FENCED', 'somebody else has the id')

/**
 * Transactions as brokers keep them: who fences an id last has it, and sees what was committed before.
 * @param refusal why a batch is refused; undefined = it is taken
 * @param turns how many turns of the microtask queue a call takes
 */
export function recordingTransactions(
  refusal: (topic: string, records: readonly TestRecord[], bytes: number) => string | undefined = () => undefined,
  turns: () => number = () => 0,
): RecordingTransactions {
  const identities = new Map<string, Identity>()
  const logs = new Map<string, TestRecord[]>()
  const offsets = new Map<string, number>()
  const calls: string[] = []
  const closed: string[] = []
  const failures = new Map<TransactionPoint, RunInferenceError>()
  const gates = new Map<TransactionPoint, Promise<void>>()

  const pass = async (point: TransactionPoint): Promise<void> => {
    await gates.get(point)
    for (let turn = turns(); turn > 0; turn--) await undefined
    const failure = failures.get(point)
    failures.delete(point)
    if (failure) throw failure
  }

  function writer(id: string): TransactionalWriter {
    let epoch = -1
    let gone: unknown = new Error(`${id} was used before its fence`)
    const underWay = new Set<TransactionPoint>()
    /** One call in the transaction, which ends it for this writer when it is rejected. */
    const call = async <T>(point: TransactionPoint, act: (identity: Identity) => Promise<T>): Promise<T> => {
      // `send` and `sendOffsets` may go side by side.
      const isBeside = [...underWay].every(other => other !== point && other !== 'commit' && other !== 'abort')
      if (!isBeside || (underWay.size > 0 && (point === 'commit' || point === 'abort')))
        throw new Error(`${point} beside ${[...underWay]} in one transaction of ${id}`)
      underWay.add(point)
      try {
        if (gone !== undefined) throw gone
        await pass(point)
        if (gone !== undefined) throw gone
        const identity = identities.get(id)!
        if (identity.epoch !== epoch) throw fenced()
        calls.push(`${point} ${id}`)
        return await act(identity)
      } catch (error) {
        gone ??= error
        throw error
      } finally {
        underWay.delete(point)
      }
    }
    const opened = (identity: Identity) => {
      identity.open ??= { batches: [], offsets: [], isSpoilt: false }
      return identity.open
    }
    return {
      async fence() {
        await pass('fence')
        const identity = identities.get(id) ?? { epoch: 0, open: undefined }
        identities.set(id, identity)
        identity.open = undefined
        epoch = ++identity.epoch
        gone = undefined
        calls.push(`fence ${id}`)
      },
      send: batches =>
        call('send', async identity => {
          const open = opened(identity)
          const places = batches.map(({ topic, partition }) => `${topic}/${partition}`)
          if (new Set(places).size < places.length) throw new Error(`two batches for one partition: ${places}`)
          return batches.map((batch): SendResult => {
            const reason = refusal(batch.topic, contentOf(batch), batch.bytes.length)
            if (reason === undefined) open.batches.push(batch)
            else open.isSpoilt = true
            return reason === undefined ? { outcome: 'acknowledged', baseOffset: 0 } : { outcome: 'refused', reason }
          })
        }),
      sendOffsets: (group, entries) =>
        call('offsets', async identity => {
          for (const { topic, partition, offset } of entries)
            opened(identity).offsets.push([`${group} ${topic}/${partition}`, offset])
        }),
      commit: () =>
        call('commit', async identity => {
          const { open } = identity
          if (open?.isSpoilt) throw new Error(`a transaction of ${id} with a refused batch was committed`)
          identity.open = undefined
          for (const batch of open?.batches ?? []) {
            const place = `${batch.topic}/${batch.partition}`
            logs.set(place, [...(logs.get(place) ?? []), ...contentOf(batch)])
          }
          for (const [place, offset] of open?.offsets ?? []) offsets.set(place, offset)
          await pass('committed')
        }),
      abort: () =>
        call('abort', async identity => {
          identity.open = undefined
        }),
      async close() {
        closed.push(id)
        gone = new RunInferenceError('CLOSED', `the writer of ${id} was closed`)
      },
    }
  }

  return {
    port: { transactionalWriter: ({ transactionalId }) => writer(transactionalId) },
    logs,
    offsets,
    calls,
    closed,
    get open() {
      return [...identities].flatMap(([id, { open }]) => (open ? [id] : []))
    },
    failNext: (point, error) => void failures.set(point, error),
    hold(point) {
      const { promise, resolve } = Promise.withResolvers<void>()
      gates.set(point, promise)
      return () => {
        gates.delete(point)
        resolve()
      }
    },
  }
}

function contentOf({ topic, partition, bytes }: SealedBatch): readonly TestRecord[] {
  return recordsOf(readRecordBlock({ topic, partition, records: storedBatch(bytes), startOffset: 0, endOffset: 0 }))
}
