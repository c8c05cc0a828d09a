/** Records into and out of the topics of a driver, through the codecs of its topology. */
import { RunInferenceError } from '../errors.ts'
import type { CodecContext, Decoder, Encoder, RecordField } from '../kafka/codec.ts'
import type { KafkaPort, KafkaWriter } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import type { Clock } from '../ops/clock.ts'
import type { Topology } from '../topology.ts'

const SOURCE_MAX_BYTES = 64 * 1024 * 1024

/** A record to pipe in. A Buffer (or null) goes in as it is; anything else through the codec of the source. */
export interface InputRecord {
  readonly key?: unknown
  readonly value: unknown
  readonly headers?: readonly Header[]
  /** Milliseconds since 1970; default: the clock's wall time. */
  readonly timestamp?: number
  /** Default 0. */
  readonly partition?: number
}

/** A record of an output topic; key and value decoded where the sink's codec can, else bytes. */
export interface OutputRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: unknown
  readonly value: unknown
  /** The value as it stands in the topic. */
  readonly bytes: Buffer | null
  readonly headers: Readonly<Record<string, string | null>>
}

export type ContextOf = (topic: string, field: RecordField) => CodecContext

export async function pipe(
  topology: Topology,
  writer: KafkaWriter,
  contextOf: ContextOf,
  clock: Clock,
  topic: string,
  records: readonly InputRecord[],
): Promise<void> {
  const source = topology.sources.find(node => node.topic === topic)
  const key = await encoderOf(source?.key, contextOf(topic, 'key'))
  const value = await encoderOf(source?.value, contextOf(topic, 'value'))
  const builders = new Map<number, RecordBatchBuilder>()
  for (const record of records) {
    const partition = record.partition ?? 0
    const builder = builders.get(partition) ?? new RecordBatchBuilder(topic, partition, SOURCE_MAX_BYTES)
    builders.set(partition, builder)
    const keyBytes = record.key === undefined ? null : key(record.key)
    const valueBytes = value(record.value)
    const headers = record.headers ?? []
    const headerBytes = encodeHeaders(headers)
    builder.append({
      ...emptyRecord(),
      timestamp: record.timestamp ?? clock.wallTime(),
      key: keyBytes,
      keyEnd: keyBytes?.length ?? 0,
      value: valueBytes,
      valueEnd: valueBytes?.length ?? 0,
      headers: headerBytes,
      headersEnd: headerBytes.length,
      headerCount: headers.length,
    })
  }
  for (const result of await writer.send([...builders.values()].map(builder => builder.seal()))) {
    if (result.outcome === 'refused') throw new RunInferenceError('BROKER_REFUSED', `${topic}: ${result.reason}`)
  }
}

async function encoderOf(codec: object | undefined, context: CodecContext): Promise<(value: unknown) => Buffer | null> {
  const encoder = codec && 'openEncoder' in codec ? await (codec as Encoder<unknown>).openEncoder(context) : undefined
  return value => {
    if (value === null || Buffer.isBuffer(value)) return value
    if (!encoder)
      throw new TypeError(`${context.field} of ${context.topic}: pipe in a Buffer or null, its codec cannot encode`)
    let into = Buffer.alloc(256)
    let end = encoder.encode(value, into, 0)
    while (end < 0) {
      into = Buffer.alloc(Math.max(-end, into.length * 2))
      end = encoder.encode(value, into, 0)
    }
    return into.subarray(0, end)
  }
}

export async function read(
  topology: Topology,
  port: KafkaPort,
  contextOf: ContextOf,
  topic: string,
): Promise<OutputRecord[]> {
  const sink = topology.sinks.find(node => node.topic === topic)
  const key = await readerOf(sink?.key, contextOf(topic, 'key'))
  const value = await readerOf(sink?.value, contextOf(topic, 'value'))
  const [description] = await port.admin.describeTopics([topic])
  if (!description) throw new RunInferenceError('TOPIC_MISSING', `topic ${topic} does not exist`)
  const ranges = Array.from({ length: description.partitions }, (_, partition) => ({
    topic,
    partition,
    from: 'earliest' as const,
    to: 'end' as const,
  }))
  const records: OutputRecord[] = []
  for await (const block of port.scan(ranges)) {
    await key.prepare(block)
    await value.prepare(block)
    for (let i = 0; i < block.count; i++) {
      const bytes = block.value(i)
      records.push({
        partition: block.partition,
        offset: block.offset(i),
        timestamp: block.timestamp(i),
        key: key.decode(block.key(i)),
        value: value.decode(bytes),
        bytes: bytes && Buffer.from(bytes),
        headers: Object.fromEntries(block.headers(i).map(([name, text]) => [name, text?.toString() ?? null])),
      })
    }
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** Reads one field: what the codec needs is loaded per block; without a decoder, values are bytes. */
interface FieldReader {
  prepare(block: RecordBlock): Promise<void>
  decode(bytes: Buffer | null): unknown
}

async function readerOf(codec: object | undefined, context: CodecContext): Promise<FieldReader> {
  if (!codec || !('openDecoder' in codec))
    return { prepare: async () => {}, decode: bytes => bytes && Buffer.from(bytes) }
  const decoder = await (codec as Decoder<unknown>).openDecoder(context)
  return {
    prepare: async block => decoder.prepare?.(block),
    decode: bytes => bytes && decoder.decode(Buffer.from(bytes), 0, bytes.length),
  }
}
