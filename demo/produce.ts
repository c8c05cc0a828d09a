import type { Digit } from '../schemas/types.ts'
import { RunInferenceError } from '../src/errors.ts'
import { murmur2Partition } from '../src/kafka/murmur2.ts'
import type { KafkaWriter } from '../src/kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../src/kafka/record-batch-builder.ts'
import { encodeHeaders } from '../src/kafka/record-headers.ts'
import type { DigitImage } from './digit-images.ts'
import { inputRecord, NUMBER_HEADER } from './input.ts'

/** Records that are encoded before they are sent. */
const CHUNK_RECORDS = 16_384
const MAX_BATCH_BYTES = 900_000

export interface ProduceOptions {
  readonly writer: KafkaWriter
  readonly topic: string
  readonly partitions: number
  readonly images: readonly DigitImage[]
  /** Numbers of the records, the last one excluded. */
  readonly from: number
  readonly to: number
  /** The value codec of the topic. */
  readonly encode: (digit: Digit) => Buffer
  readonly onProgress: (acknowledged: number) => void
  readonly signal: AbortSignal
}

/** Writes a part of the input; resolves when all of it is acknowledged. */
export async function produceInput(options: ProduceOptions): Promise<void> {
  const { writer, from, to, onProgress, signal } = options
  const builders = new Map<number, RecordBatchBuilder>()
  for (let number = from; number < to; ) {
    signal.throwIfAborted()
    const end = Math.min(number + CHUNK_RECORDS, to)
    const batches: SealedBatch[] = []
    for (; number < end; number++) append(options, number, builders, batches)
    for (const builder of builders.values()) if (builder.count > 0) batches.push(builder.seal())
    for (const result of await writer.send(batches)) {
      if (result.outcome === 'refused') throw new RunInferenceError('BROKER_REFUSED', `the input: ${result.reason}`)
    }
    onProgress(number)
  }
}

/** The key is the image's id and decides the partition, as with any Kafka client. */
function append(
  { topic, partitions, images, encode }: ProduceOptions,
  number: number,
  builders: Map<number, RecordBatchBuilder>,
  sealed: SealedBatch[],
): void {
  const { image, bad } = inputRecord(images, number)
  const key = Buffer.from(image.digit.id)
  const value = bad === undefined ? encode(image.digit) : bad.value(image.digit, encode)
  const headers = encodeHeaders([[NUMBER_HEADER, Buffer.from(String(number))]])
  const partition = murmur2Partition(key, 0, key.length, partitions)
  const builder = builders.get(partition) ?? new RecordBatchBuilder(topic, partition, MAX_BATCH_BYTES)
  builders.set(partition, builder)
  const record = {
    ...emptyRecord(),
    timestamp: Date.now(),
    key,
    keyEnd: key.length,
    value,
    valueEnd: value?.length ?? 0,
    headers,
    headersEnd: headers.length,
    headerCount: 1,
  }
  if (builder.append(record)) return
  sealed.push(builder.seal())
  builder.append(record)
}
