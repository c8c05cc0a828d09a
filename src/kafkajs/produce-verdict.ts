import { brokerError } from './protocol-errors.ts'

/**
 * What the answer for one batch means: `written`; `refused` as it is, now and always; `retry` the identical bytes;
 * `recover` under a new producer id; `hopeless`, whatever is sent.
 */
export type ProduceVerdict = 'written' | 'refused' | 'retry' | 'recover' | 'hopeless'

const VERDICTS: Readonly<Record<string, ProduceVerdict>> = {
  NONE: 'written',
  /** The batch was written by an earlier attempt whose answer was lost. */
  DUPLICATE_SEQUENCE_NUMBER: 'written',
  MESSAGE_TOO_LARGE: 'refused',
  RECORD_LIST_TOO_LARGE: 'refused',
  INVALID_RECORD: 'refused',
  INVALID_TIMESTAMP: 'refused',
  CORRUPT_MESSAGE: 'refused',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'refused',
  UNSUPPORTED_COMPRESSION_TYPE: 'refused',
  UNKNOWN_PRODUCER_ID: 'recover',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'recover',
  INVALID_PRODUCER_EPOCH: 'recover',
  INVALID_PRODUCER_ID_MAPPING: 'recover',
  /** Until the metadata agrees that the topic is gone. */
  UNKNOWN_TOPIC_OR_PARTITION: 'retry',
}

export function produceVerdict(name: string): ProduceVerdict {
  return VERDICTS[name] ?? (brokerError(name, '').retriable ? 'retry' : 'hopeless')
}
