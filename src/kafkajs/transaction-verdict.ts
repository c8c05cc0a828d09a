import { RunInferenceError } from '../errors.ts'

/**
 * Answers after which nothing more can be done in this producer epoch, whichever request they answer.
 *
 * Fenced: the id has a newer epoch. Somebody else has it, or the broker ended the transaction after its time-out, which
 * raises the epoch in the same way; who knows how long the transaction was open can tell them apart.
 * Lost: what the coordinator or a partition leader knows of the transaction is not what was done. It expired the id after a
 * week without use, or gave it a new producer id behind the last epoch; a log was truncated and our sequence went with it.
 */
const ENDS: Readonly<Record<string, 'TRANSACTION_FENCED' | 'TRANSACTION_LOST'>> = {
  INVALID_PRODUCER_EPOCH: 'TRANSACTION_FENCED',
  PRODUCER_FENCED: 'TRANSACTION_FENCED',
  INVALID_PRODUCER_ID_MAPPING: 'TRANSACTION_LOST',
  INVALID_TXN_STATE: 'TRANSACTION_LOST',
  UNKNOWN_PRODUCER_ID: 'TRANSACTION_LOST',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'TRANSACTION_LOST',
  TRANSACTION_ABORTABLE: 'TRANSACTION_LOST',
}

/** The error of ours for such an answer; undefined for all others. `what` says what was asked. */
export function transactionEnd(name: string, what: string): RunInferenceError | undefined {
  const code = ENDS[name]
  if (code === undefined) return undefined
  const means =
    code === 'TRANSACTION_FENCED'
      ? 'somebody else has taken this transactional id over'
      : 'the broker has this transaction otherwise than it was written'
  return new RunInferenceError(code, `${what}: the broker answered ${name}, so ${means}. ${AGAIN}`)
}

/** A transaction whose end is not known. */
export function transactionLost(why: string, cause?: unknown): RunInferenceError {
  return new RunInferenceError('TRANSACTION_LOST', `${why} ${AGAIN}`, { cause })
}

const AGAIN = 'What is not committed is read and processed again.'
