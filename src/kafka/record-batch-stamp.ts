import { crc32c } from './crc32c.ts'
import { writeInt64 } from './int64.ts'
import { ATTRIBUTE, BATCH } from './record-batch-format.ts'

/**
 * Writes the producer fields of one record batch and computes its CRC: the last change before it is sent. A retry sends
 * the stamped bytes again as they are.
 * @param baseSequence sequence of the first record, below 2^31
 */
export function stampProducer(
  batch: Buffer,
  producerId: bigint | number,
  producerEpoch: number,
  baseSequence: number,
  options: { readonly transactional?: boolean } = {},
): void {
  const attributes = batch.readInt16BE(BATCH.attributes) & ~ATTRIBUTE.transactional
  batch.writeInt16BE(options.transactional ? attributes | ATTRIBUTE.transactional : attributes, BATCH.attributes)
  writeInt64(batch, BATCH.producerId, Number(producerId))
  batch.writeInt16BE(producerEpoch, BATCH.producerEpoch)
  batch.writeInt32BE(baseSequence, BATCH.baseSequence)
  batch.writeUInt32BE(crc32c(batch, BATCH.attributes, batch.length), BATCH.crc)
}
