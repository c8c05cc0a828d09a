/**
 * The main job from end to end, on real parts: cluster → topics and schemas → input, topology and published models
 * (course.ts) → read back → check.
 * Everything that has to be ended is put on the stack of resources as soon as it exists, whatever happens after.
 */
import type { DigitPrediction } from '../schemas/types.ts'
import { type Cluster, startCluster } from '../src/cluster/cluster.ts'
import { RunInferenceError } from '../src/errors.ts'
import { avro } from '../src/kafka/avro-codec.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { readSchemaFile } from '../src/kafka/schema-files.ts'
import { createSchemaRegistry } from '../src/kafka/schema-registry.ts'
import { FAILED_STAGES } from '../src/kafka/topic-names.ts'
import { registerSchemas, schemaNeeds } from '../src/kafka/topic-schemas.ts'
import { applyPlan, planTopics, topicNames } from '../src/kafka/topics.ts'
import { createKafkaPort } from '../src/kafkajs/kafka-port.ts'
import { systemClock } from '../src/ops/clock.ts'
import { clusterEnvironment } from '../src/settings.ts'
import type { Topology } from '../src/topology.ts'
import { loadTopology } from '../src/topology-module.ts'
import { check, type Verdict } from './check.ts'
import { runCourse } from './course.ts'
import { type DigitImage, readDigitImages } from './digit-images.ts'
import { inputNumber, inputRecord } from './input.ts'
import type { BlockRow, Expectation } from './output-problem.ts'
import { codecContext, type Job, type Parts } from './parts.ts'
import { readTopic } from './read-back.ts'
import { type DemoResult, failedTopic, whole } from './summary.ts'

export async function runMainJob(job: Job): Promise<DemoResult & { readonly parts: Parts }> {
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
  const parts = { ...job, cluster, topology, images, port, registry }
  await applyTopics(parts)
  const course = await runCourse(parts)
  const verdict = await readAndCheck(parts)
  return { topology, images, parts, verdict, ...course, seconds: performance.now() / 1000 }
}

async function openCluster({ screen, resources, logger }: Job): Promise<Cluster> {
  const step = screen.step('cluster')
  const onProgress = ({ text }: { readonly text: string }) => step.progress(text)
  const cluster = await startCluster({
    brokers: 1,
    registry: true,
    logger,
    onProgress,
    environment: clusterEnvironment(),
  })
  resources.defer(() => cluster.stop())
  step.done(`Kafka at ${cluster.brokers.join(', ')}, schema registry at ${cluster.registryUrl}`)
  return cluster
}

async function applyTopics({ cluster, topology, port, registry, screen, flags }: Parts): Promise<void> {
  const step = screen.step('topics')
  const names = topicNames(topology)
  const existing = await port.admin.describeTopics(names)
  if (existing.length > 0) throw topicsExist(existing, cluster)
  const brokerCount = await port.admin.brokerCount()
  const plan = planTopics(topology, [], { partitions: flags.partitions, replicationFactor: 1, minIsr: 1, brokerCount })
  await applyPlan(plan, port.admin)
  const schemas = await registerSchemas(schemaNeeds(topology), registry, readSchemaFile)
  const counted = `${names.length} topics, ${flags.partitions} partitions for records`
  step.done(`${counted}, ${schemas.length} Avro schemas`)
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
  const { digit, trueLabel, results } = image
  return { topic: topology.sinks[0]!.topic, image: { id: digit.id, trueLabel, results } }
}
