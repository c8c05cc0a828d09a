/**
 * Runs a topology without Kafka: the same engine on a broker in memory, lanes in the calling thread, a clock that stands
 * still. Pipe records in, read every output topic, advance the clock. One seed gives one trace, byte for byte.
 */
import { handlerAt } from '../handler-place.ts'
import type { CodecContext, ReadSchema, RecordField } from '../kafka/codec.ts'
import type { KafkaPort, TopicDescription } from '../kafka/port.ts'
import { readSchemaFile } from '../kafka/schema-files.ts'
import { registerSchemas, schemaNeeds } from '../kafka/topic-schemas.ts'
import { applyPlan, planTopics, topicNames } from '../kafka/topics.ts'
import type { Executor } from '../models/executor.ts'
import { createInThreadExecutor, type InThreadExecutor } from '../models/in-thread-executor.ts'
import { type Logger, silentLogger } from '../ops/logger.ts'
import { functionsInThread } from '../pipeline/function-lanes.ts'
import { nullMetrics } from '../pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { type ModelKey, slotText } from '../refresh/slot.ts'
import type { ModelMetadata } from '../refresh/step-models.ts'
import { type RunningTopology, startTopology } from '../run.ts'
import type { RunParts } from '../run-parts.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../run-settings.ts'
import type { Topology } from '../topology.ts'
import { type DriverFailure, keepFailures } from './driver-failures.ts'
import {
  driverModels,
  isTakenUp,
  type PublishedModels,
  publishAll,
  publishModel,
  waitsForModel,
} from './driver-models.ts'
import { type InputRecord, type OutputRecord, pipe, read } from './driver-records.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createMemoryBroker, type MemoryBroker } from './memory-broker.ts'
import { createMemoryRegistry, type MemoryRegistry } from './memory-registry.ts'
import { createRandom } from './random.ts'

/** The steps in which a start, which needs timers of the group, is waited for. */
const START_STEP_MS = 50

export interface DriverOptions extends Pick<RunParts, 'onModelsOpened' | 'modelFiles'> {
  /** By step: what is published of its models before the start. The steps have `modelMetadata: true`. */
  readonly modelMetadata?: ReadonlyMap<string, PublishedModels>
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
  /**
   * Publishes a model for a step, or for a model key of its per-key handler, as `kri models publish` does, and goes on until it
   * serves, has failed or waits for an outage. Undefined: a tombstone, the handler's own model.
   */
  publishModel(step: string, model: ModelMetadata | undefined, modelKey?: ModelKey): Promise<void>
  /** Goes on by this much, then waits for `idle`. */
  advance(ms: number): Promise<void>
  /** Everything that is in a topic by now, by partition and offset. */
  read(topic: string): Promise<readonly OutputRecord[]>
  /** Drains and ends; the clock is advanced as far as that takes. */
  stop(): Promise<void>
}

/** Creates topics and schemas, starts the topology, resolves when it has joined, or waits for a model. Call `stop` at the end. */
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
  const progress = <T>(work: Promise<T>) => finish(work, clock, idle) as Promise<T>

  const defaults = { partitions: options.partitions ?? 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
  const existing: readonly TopicDescription[] = await progress(port.admin.describeTopics(topicNames(topology)))
  await progress(applyPlan(planTopics(topology, existing, defaults), port.admin))
  await registerSchemas(schemaNeeds(topology), registry, readSchema)

  const publishing = { port, applicationId: topology.applicationId, clock, random }
  await progress(publishAll(publishing, options.modelMetadata ?? new Map()))

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
    modelFiles: options.modelFiles ?? driverModels,
    instanceId: 'driver',
    ...(options.onModelsOpened ? { onModelsOpened: options.onModelsOpened } : {}),
  })
  const isWaiting = () => waitsForModel(running.health())
  await finish(running.whenReady(), clock, idle, isWaiting)

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
    async publishModel(step, model, modelKey) {
      const offset = await progress(publishModel(publishing, step, model, modelKey))
      const slot = slotText(step, modelKey)
      while (!isTakenUp(running.health(), slot, offset)) {
        await clock.advance(START_STEP_MS)
        await idle()
      }
    },
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

/** Waits for something that needs the clock to go on, or until `isEnough`. */
async function finish<T>(
  work: Promise<T>,
  clock: ManualClock,
  idle: () => Promise<void>,
  isEnough = () => false,
): Promise<T | undefined> {
  let done = false
  const mark = () => {
    done = true
  }
  work.then(mark, mark)
  await idle()
  while (!done && !isEnough()) {
    await clock.advance(START_STEP_MS)
    await idle()
  }
  return done ? work : undefined
}
