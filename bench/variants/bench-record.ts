import { emptyRecord, type RecordRanges } from '../../src/kafka/record-batch-builder.ts'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'

/** A record to fill in and append, again and again, with a constant header if one is given. */
export function benchRecord(header?: readonly [name: string, value: string]): RecordRanges {
  const own = header === undefined ? null : encodeHeaders([[header[0], Buffer.from(header[1])]])
  return {
    ...emptyRecord(),
    ownHeaders: own,
    ownHeadersEnd: own?.length ?? 0,
    ownHeaderCount: own === null ? 0 : 1,
  }
}
