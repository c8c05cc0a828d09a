import { crc32c } from '../kafka/crc32c.ts'
import { writeInt64 } from '../kafka/int64.ts'
import { emptyRecord, RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import { ATTRIBUTE, BATCH } from '../kafka/record-batch-format.ts'
import { stampProducer } from '../kafka/record-batch-stamp.ts'

export type TransactionEnd = 'commit' | 'abort'

/** Numbers that a broker writes into the key of a control record. */
const MARKER_TYPE = { abort: 0, commit: 1 } as const

/** The one record that a broker writes into a partition where a transaction ends. */
export function controlBatch(
  place: { readonly topic: string; readonly partition: number; readonly offset: number },
  producer: { readonly producerId: number; readonly epoch: number },
  end: TransactionEnd,
  timestamp: number,
): Buffer {
  const builder = new RecordBatchBuilder(place.topic, place.partition, 1_000)
  const key = Buffer.alloc(4)
  key.writeInt16BE(MARKER_TYPE[end], 2)
  // A version and the epoch of the coordinator.
  const value = Buffer.alloc(6)
  builder.append({ ...emptyRecord(), timestamp, key, keyEnd: key.length, value, valueEnd: value.length })
  const { bytes } = builder.seal()
  stampProducer(bytes, producer.producerId, producer.epoch, -1, { transactional: true })
  writeInt64(bytes, BATCH.baseOffset, place.offset)
  bytes.writeInt16BE(bytes.readInt16BE(BATCH.attributes) | ATTRIBUTE.control, BATCH.attributes)
  bytes.writeUInt32BE(crc32c(bytes, BATCH.attributes, bytes.length), BATCH.crc)
  return bytes
}
