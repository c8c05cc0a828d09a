/**
 * Runs a topology without Kafka: the same engine on a broker in memory, lanes in the calling thread, a clock that stands
 * still. Pipe records in, read every output topic, advance the clock. One seed gives one trace, byte for byte.
 */
import { RunInferenceError } from '../errors.ts'
import { handlerAt } from '../handler-place.ts'
import type { CodecContext, Decoder, Encoder, ReadSchema, RecordField } from '../kafka/codec.ts'
import type { KafkaPort, KafkaWriter, TopicDescription } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import { readSchemaFile } from '../kafka/schema-files.ts'
import { registerSchemas, schemaNeeds } from '../kafka/topic-schemas.ts'
import { applyPlan, planTopics, topicNames } from '../kafka/topics.ts'
import type { Executor } from '../models/executor.ts'
import { createInThreadExecutor, type InThreadExecutor } from '../models/in-thread-executor.ts'
import { type Logger, silentLogger } from '../ops/logger.ts'
import { functionsInThread } from '../pipeline/function-lanes.ts'
import { nullMetrics } from '../pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { type RunningTopology, startTopology } from '../run.ts'
import type { RunParts } from '../run-parts.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../run-settings.ts'
import type { Topology } from '../topology.ts'
import { type DriverFailure, keepFailures } from './driver-failures.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createMemoryBroker, type MemoryBroker } from './memory-broker.ts'
import { createMemoryRegistry, type MemoryRegistry } from './memory-registry.ts'
import { createRandom } from './random.ts'

const SOURCE_MAX_BYTES = 64 * 1024 * 1024
/** The steps in which a start, which needs timers of the group, is waited for. */
const START_STEP_MS = 50

export interface DriverOptions extends Pick<RunParts, 'modelMetadata' | 'onModelsOpened'> {
  /** Partitions of every topic; default 1. */
  readonly partitions?: number
  /** Lanes; default 1. */
  readonly lanes?: number
  /** Everything that is left to chance follows from this; default 1. */
  readonly seed?: number
  /** The `computeMs` that a batch reports; default: 1 ms and 0.01 ms a row. */
  readonly durationOf?: (batch: { readonly lane: number; readonly rows: number }) => number
  /** The time that the load of a model reports; default 0, since the clock stands still. */
  readonly loadMs?: number
  readonly settings?: Partial<RunSettings>
  readonly metrics?: PipelineMetrics
  readonly logger?: Logger
  /** Puts something around the executor, e.g. faults. */
  readonly wrapExecutor?: (executor: Executor) => Executor
}

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

export interface TopologyDriver {
  readonly clock: ManualClock
  readonly broker: MemoryBroker
  readonly registry: MemoryRegistry
  readonly running: RunningTopology
  readonly port: KafkaPort
  /** Dead letters so far, in the order in which they were noted. */
  readonly failures: readonly DriverFailure[]
  /** Writes records to a source topic and waits until they are there; nothing else is waited for. */
  pipe(topic: string, records: readonly InputRecord[]): Promise<void>
  /** Resolves when everything that is left waits for the clock. */
  idle(): Promise<void>
  /** Goes on by this much, then waits for `idle`. */
  advance(ms: number): Promise<void>
  /** Everything that is in a topic by now, by partition and offset. */
  read(topic: string): Promise<readonly OutputRecord[]>
  /** Drains and ends; the clock is advanced as far as that takes. */
  stop(): Promise<void>
}

/** Creates topics and schemas, starts the topology, resolves when it has joined. Call `stop` at the end. */
export async function createTopologyDriver(topology: Topology, options: DriverOptions = {}): Promise<TopologyDriver> {
  const clock = createManualClock()
  const random = createRandom(options.seed ?? 1)
  const broker = createMemoryBroker({ clock, random })
  const registry = createMemoryRegistry()
  const logger = options.logger ?? silentLogger
  // Each file is read once, before the start: later reads take no time that a trace could depend on.
  const schemas = new Map<string, Promise<string>>()
  const readSchema: ReadSchema = (name, type) => {
    const read = schemas.get(`${type} ${name}`) ?? readSchemaFile(name, type)
    schemas.set(`${type} ${name}`, read)
    return read
  }
  const port = broker.connect()
  const inThread = createInThreadExecutor(
    { lanes: options.lanes ?? 1, maxBatchRows: 256 },
    {
      logger,
      clock,
      durationOf: options.durationOf ?? (({ rows }) => 1 + rows / 100),
      loadMs: options.loadMs ?? 0,
      find: place => handlerAt(topology, place),
    },
  )
  const idle = () => settle(clock, inThread)
  const progress = <T>(work: Promise<T>) => finish(work, clock, idle)

  const defaults = { partitions: options.partitions ?? 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
  const existing: readonly TopicDescription[] = await progress(port.admin.describeTopics(topicNames(topology)))
  await progress(applyPlan(planTopics(topology, existing, defaults), port.admin))
  await registerSchemas(schemaNeeds(topology), registry, readSchema)

  const failures: DriverFailure[] = []
  const running = startTopology(topology, {
    port: broker.connect(),
    executor: options.wrapExecutor?.(inThread) ?? inThread,
    registry,
    readSchema,
    settings: { ...DEFAULT_RUN_SETTINGS, ...options.settings },
    clock,
    random,
    logger,
    metrics: options.metrics ?? nullMetrics,
    openFunctionLane: functionsInThread,
    onFailure: keepFailures(failures),
    ...(options.modelMetadata ? { modelMetadata: options.modelMetadata } : {}),
    ...(options.onModelsOpened ? { onModelsOpened: options.onModelsOpened } : {}),
  })
  await progress(running.whenReady())

  const contextOf = (topic: string, field: RecordField): CodecContext => {
    return { topic, field, registry, readSchema, logger, now: () => clock.now() }
  }
  const writer = port.writer()
  return {
    clock,
    broker,
    registry,
    running,
    port,
    failures,
    pipe: (topic, records) => progress(pipe(topology, writer, contextOf, clock, topic, records)),
    idle,
    async advance(ms) {
      await clock.advance(ms)
      await idle()
    },
    read: topic => progress(read(topology, port, contextOf, topic)),
    async stop() {
      await progress(running.stop())
      await progress(writer.close())
      await progress(port.close())
    },
  }
}

/** Everything that needs no time, including what lanes have been given. */
async function settle(clock: ManualClock, executor: InThreadExecutor): Promise<void> {
  let quiet = 0
  while (quiet < 2) {
    await clock.settle()
    quiet = executor.pending === 0 ? quiet + 1 : 0
    await executor.settled()
  }
}

/** Waits for something that needs the clock to go on. */
async function finish<T>(work: Promise<T>, clock: ManualClock, idle: () => Promise<void>): Promise<T> {
  let done = false
  const mark = () => {
    done = true
  }
  work.then(mark, mark)
  await idle()
  while (!done) {
    await clock.advance(START_STEP_MS)
    await idle()
  }
  return work
}

type ContextOf = (topic: string, field: RecordField) => CodecContext

async function pipe(
  topology: Topology,
  writer: KafkaWriter,
  contextOf: ContextOf,
  clock: ManualClock,
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

async function read(topology: Topology, port: KafkaPort, contextOf: ContextOf, topic: string): Promise<OutputRecord[]> {
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
