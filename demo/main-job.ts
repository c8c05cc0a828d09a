/**
 * The main job from end to end, on real parts: cluster → topics and schemas → input → topology → read back → check.
 * Everything that has to be ended is put on the stack of resources as soon as it exists, whatever happens after.
 */
import { availableParallelism } from 'node:os'
import type { Digit, DigitPrediction } from '../schemas/types.ts'
import { clusterStatus, keepCluster } from '../src/cluster/background.ts'
import { type Cluster, startCluster } from '../src/cluster/cluster.ts'
import { RunInferenceError } from '../src/errors.ts'
import { avro } from '../src/kafka/avro-codec.ts'
import type { CodecContext, RowEncoder, SchemaRegistryPort } from '../src/kafka/codec.ts'
import type { KafkaPort } from '../src/kafka/port.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { readSchemaFile } from '../src/kafka/schema-files.ts'
import { createSchemaRegistry } from '../src/kafka/schema-registry.ts'
import { FAILED_STAGES } from '../src/kafka/topic-names.ts'
import { registerSchemas, schemaNeeds } from '../src/kafka/topic-schemas.ts'
import { applyPlan, planTopics, topicNames } from '../src/kafka/topics.ts'
import { createKafkaPort } from '../src/kafkajs/kafka-port.ts'
import { createThreadExecutor } from '../src/models/thread-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import type { Logger } from '../src/ops/logger.ts'
import { startTopology } from '../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../src/run-settings.ts'
import { clusterEnvironment } from '../src/settings.ts'
import type { Topology } from '../src/topology.ts'
import { loadTopology } from '../src/topology-module.ts'
import { check, type Verdict } from './check.ts'
import { type ClassifyCounts, countingMetrics, untilDrained } from './classify.ts'
import { type DigitImage, readDigitImages } from './digit-images.ts'
import type { DemoFlags } from './flags.ts'
import { badRecordsAmong, inputNumber, inputRecord } from './input.ts'
import type { BlockRow, Expectation } from './output-problem.ts'
import { produceInput } from './produce.ts'
import { readTopic } from './read-back.ts'
import type { Screen } from './screen.ts'
import { type DemoResult, failedTopic, throughput, whole } from './summary.ts'

export interface Job {
  readonly flags: DemoFlags
  readonly screen: Screen
  readonly logger: Logger
  /** Aborted by Ctrl-C; nothing is started after. */
  readonly signal: AbortSignal
  readonly resources: AsyncDisposableStack
}

/** The parts that the phases share. */
interface Parts extends Job {
  readonly topology: Topology
  readonly images: readonly DigitImage[]
  readonly port: KafkaPort
  readonly registry: SchemaRegistryPort
}

const MAX_BATCH_ROWS = 256

export async function runMainJob(job: Job): Promise<DemoResult & { readonly cluster: Cluster }> {
  const { signal, resources, logger } = job
  const topology = await loadTopology('topologies/digits.ts')
  const images = await readDigitImages()
  const cluster = await openCluster(job)
  signal.throwIfAborted()
  const port = createKafkaPort({
    brokers: cluster.brokers,
    clientId: 'kri-demo',
    logger,
    clock: systemClock,
    random: Math.random,
  })
  resources.defer(() => port.close())
  const registry = createSchemaRegistry({ url: cluster.registryUrl! })
  const parts = { ...job, topology, images, port, registry }
  await applyTopics(parts, cluster)
  await produce(parts)
  const counts = await classify(parts)
  const verdict = await readAndCheck(parts)
  return { topology, cluster, verdict, counts, seconds: performance.now() / 1000 }
}

async function openCluster({ screen, signal, resources, flags, logger }: Job): Promise<Cluster> {
  const step = screen.step('cluster')
  const environment = clusterEnvironment()
  if (flags.keep && (await clusterStatus(environment)) !== undefined) throw keptAlready()
  const onProgress = ({ text }: { readonly text: string }) => step.progress(text)
  const cluster = await startCluster({
    brokers: 1,
    registry: true,
    outlive: flags.keep,
    logger,
    onProgress,
    environment,
  })
  resources.defer(async () => {
    if (flags.keep && !signal.aborted && cluster.local !== undefined) await keepCluster(cluster, environment)
    else await cluster.stop()
  })
  step.done(`Kafka at ${cluster.brokers.join(', ')}, schema registry at ${cluster.registryUrl}`)
  return cluster
}

function keptAlready(): RunInferenceError {
  return new RunInferenceError(
    'CLUSTER_UNAVAILABLE',
    'a cluster was left running before (npm run kri cluster status), and one can be kept at a time. ' +
      'Stop it first (npm run kri cluster down), or leave out --keep',
  )
}

async function applyTopics({ topology, port, registry, screen, flags }: Parts, cluster: Cluster): Promise<void> {
  const step = screen.step('topics')
  const names = topicNames(topology)
  const existing = await port.admin.describeTopics(names)
  if (existing.length > 0) throw topicsExist(existing, cluster)
  const brokerCount = await port.admin.brokerCount()
  const plan = planTopics(topology, [], { partitions: flags.partitions, replicationFactor: 1, minIsr: 1, brokerCount })
  await applyPlan(plan, port.admin)
  const schemas = await registerSchemas(schemaNeeds(topology), registry, readSchemaFile)
  step.done(`${names.length} topics of ${flags.partitions} partitions, ${schemas.length} Avro schemas`)
}

/** What the topics hold is counted, so nobody else may have written to them. */
function topicsExist(existing: readonly { readonly name: string }[], cluster: Cluster): RunInferenceError {
  return new RunInferenceError(
    'TOPIC_POLICY',
    `${existing.map(({ name }) => name).join(', ')} exist already at ${cluster.brokers.join(', ')}, and this demo ` +
      'checks topics that it has created itself. Delete them there (kafka-topics.sh --delete --topic NAME), ' +
      'or leave KRI_BROKERS unset to have a cluster started on this machine',
  )
}

async function produce(parts: Parts): Promise<void> {
  const { topology, images, port, registry, screen, logger, flags, signal, resources } = parts
  const step = screen.step('produce')
  const { records, partitions } = flags
  const { topic } = topology.sources[0]!
  const encoder = await avro<Digit>('digit').openEncoder(codecContext(topic, registry, logger))
  const writer = port.writer()
  resources.defer(() => writer.close())
  await produceInput({
    writer,
    topic,
    partitions,
    images,
    records,
    encode: digit => encodeWith(encoder, digit),
    onProgress: done => step.progress(`${whole(done)} of ${whole(records)} records`, done / records),
    signal,
  })
  step.done(`${whole(records)} digits to ${topic}, of which ${whole(badRecordsAmong(records))} are bad records`)
}

async function classify(parts: Parts): Promise<ClassifyCounts> {
  const { topology, port, registry, screen, logger, flags, signal, resources } = parts
  const step = screen.step('classify')
  step.progress('loading the model, joining the group', 0)
  signal.throwIfAborted()
  const { counts, metrics } = countingMetrics()
  const lanes = Math.max(1, availableParallelism() - 1)
  const running = startTopology(topology, {
    port,
    executor: createThreadExecutor(
      { lanes, maxBatchRows: MAX_BATCH_ROWS },
      { logger, clock: systemClock, random: Math.random },
    ),
    registry,
    readSchema: readSchemaFile,
    settings: DEFAULT_RUN_SETTINGS,
    clock: systemClock,
    random: Math.random,
    logger,
    metrics,
  })
  resources.defer(() => running.stop().catch(() => {})) // A topology that failed has been reported by `untilDrained`.
  await untilDrained(running, counts, done =>
    step.progress(`${whole(done)} of ${whole(flags.records)} records`, done / flags.records),
  )
  await running.stop()
  step.done(
    `${whole(counts.acknowledged)} records, ${whole(throughput(counts))} a second, in the group ${topology.name}`,
  )
  return counts
}

async function readAndCheck(parts: Parts): Promise<Verdict> {
  const { topology, images, port, registry, screen, logger, flags, signal } = parts
  const step = screen.step('read back')
  let count = 0
  const read = (topic: string): Promise<readonly RecordBlock[]> =>
    readTopic(port, topic, flags.partitions, signal, more => {
      count += more
      step.progress(`${whole(count)} records`, count / (2 * flags.records))
    })
  const source = await read(topology.sources[0]!.topic)
  const sink = topology.sinks[0]!.topic
  const predictions = await read(sink)
  const deadLetters = (await Promise.all(FAILED_STAGES.map(stage => read(failedTopic(topology, stage))))).flat()

  const decoder = await avro<DigitPrediction>('digit-prediction').openDecoder(codecContext(sink, registry, logger))
  for (const block of predictions) await decoder.prepare?.(block)
  const verdict = check({
    source,
    predictions,
    deadLetters,
    expect: ({ block, row }) => expectation(topology, images, inputNumber(block, row)),
    readPrediction: ({ block, row }: BlockRow) =>
      decoder.decode(block.bytes, block.valueStart(row), block.valueEnd(row)),
  })
  step.done(`${whole(count)} records of ${2 + FAILED_STAGES.length} topics, and checked them`)
  return verdict
}

function expectation(topology: Topology, images: readonly DigitImage[], number: number): Expectation {
  const { image, bad } = inputRecord(images, number)
  if (bad !== undefined) return { topic: failedTopic(topology, bad.stage), code: bad.code }
  const { digit, trueLabel, expected } = image
  return { topic: topology.sinks[0]!.topic, image: { id: digit.id, trueLabel, ...expected } }
}

function codecContext(topic: string, registry: SchemaRegistryPort, logger: Logger): CodecContext {
  return { topic, field: 'value', registry, readSchema: readSchemaFile, logger, now: systemClock.now }
}

function encodeWith<T>(encoder: RowEncoder<T>, value: T): Buffer {
  let into = Buffer.alloc(256)
  let end = encoder.encode(value, into, 0)
  while (end < 0) {
    into = Buffer.alloc(-end)
    end = encoder.encode(value, into, 0)
  }
  return into.subarray(0, end)
}
