import type { RecordRanges } from '../../src/kafka/record-batch-builder.ts'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'

/** A record to fill in and append, again and again, with a constant header if one is given. */
export function emptyRecord(header?: readonly [name: string, value: string]): RecordRanges {
  const own = header === undefined ? null : encodeHeaders([[header[0], Buffer.from(header[1])]])
  return {
    timestamp: 0,
    key: null,
    keyStart: 0,
    keyEnd: 0,
    value: null,
    valueStart: 0,
    valueEnd: 0,
    headers: null,
    headersStart: 0,
    headersEnd: 0,
    headerCount: 0,
    ownHeaders: own,
    ownHeadersStart: 0,
    ownHeadersEnd: own?.length ?? 0,
    ownHeaderCount: own === null ? 0 : 1,
  }
}
