/** What can be wrong with a record, each with the dead-letter topic and the code that it must end under. */

import type { Digit } from '../schemas/types.ts'
import type { ErrorCode } from '../src/errors.ts'
import type { FailedStage } from '../src/kafka/topic-names.ts'

export interface BadRecord {
  readonly what: string
  readonly stage: FailedStage
  readonly code: ErrorCode
  /** The value to write in place of this digit's. */
  readonly value: (digit: Digit, encode: (digit: Digit) => Buffer) => Buffer | null
}

/** Registries count schema ids from 1. */
const UNKNOWN_SCHEMA_ID = 0x7fff_fff0

export const BAD_RECORDS: readonly BadRecord[] = [
  {
    what: 'not Avro at all',
    stage: 'preprocess',
    code: 'DECODE_MAGIC_BYTE',
    value: ({ id }) => Buffer.from(`{"id":"${id}"}`),
  },
  {
    what: 'unknown schema id',
    stage: 'preprocess',
    code: 'DECODE_UNKNOWN_SCHEMA',
    value: (digit, encode) => {
      const value = Buffer.from(encode(digit))
      value.writeInt32BE(UNKNOWN_SCHEMA_ID, 1)
      return value
    },
  },
  {
    what: '63 pixels instead of 64',
    stage: 'inference',
    code: 'SHAPE_MISMATCH',
    value: ({ id, pixels }, encode) => encode({ id, pixels: pixels.slice(1) }),
  },
  { what: 'a tombstone', stage: 'preprocess', code: 'TOMBSTONE', value: () => null },
  {
    what: 'a pixel of 17, which the preprocess function rejects',
    stage: 'preprocess',
    code: 'FUNCTION_THREW',
    value: ({ id, pixels }, encode) => encode({ id, pixels: pixels.with(0, 17) }),
  },
  {
    what: 'a blank image, which the postprocess function rejects',
    stage: 'postprocess',
    code: 'POSTPROCESS_THREW',
    value: ({ id, pixels }, encode) => encode({ id, pixels: pixels.map(() => 0) }),
  },
]
