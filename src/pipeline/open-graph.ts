/** Opens what a graph needs before it can run: codecs (and with them the registry), models in every lane, output topics. */
import type { SinkNode, SourceNode, StepNode } from '../graph.ts'
import type {
  CodecContext,
  Decoder,
  Encoder,
  ReadSchema,
  RecordField,
  RowDecoder,
  RowEncoder,
  SchemaRegistryPort,
} from '../kafka/codec.ts'
import type { KafkaWriter } from '../kafka/port.ts'
import { deadLetterTopics } from '../kafka/topic-names.ts'
import type { Executor } from '../models/executor.ts'
import type { ModelSet } from '../models/model-set.ts'
import type { ModelSetEvents } from '../models/model-set-options.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { LiveRun } from '../refresh/live-run.ts'
import type { ModelFiles } from '../refresh/slot-loader.ts'
import type { Topology } from '../topology.ts'
import type { OpenedParts } from './compile.ts'
import { sourcesAbove } from './graph-ways.ts'
import { openModels } from './open-models.ts'
import { type OpenBatches, OutputTarget } from './output-target.ts'

/** What the broker counts beside one value: batch header, record framing, our header. */
const VALUE_RESERVE_BYTES = 1024

export interface OpenContext {
  readonly topology: Topology
  readonly writer: Pick<KafkaWriter, 'topic'>
  readonly executor: Executor
  /** What is published: decides what lanes are opened with. */
  readonly live?: Pick<LiveRun, 'open' | 'chosen'> | undefined
  readonly modelFiles?: ModelFiles
  /** Ends the wait for a model. */
  readonly signal: AbortSignal
  readonly registry: SchemaRegistryPort | undefined
  readonly readSchema: ReadSchema
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** Whom the models of a step tell; of loads also while the graph is opened. */
  readonly eventsOf: (node: StepNode) => ModelSetEvents
}

export interface OpenedGraph extends OpenedParts {
  readonly models: ReadonlyMap<StepNode, ModelSet>
  readonly targets: ReadonlyMap<SinkNode, OutputTarget>
  readonly deadLetters: ReadonlyMap<string, OutputTarget>
}

export async function openGraph(context: OpenContext): Promise<OpenedGraph> {
  const { topology, writer } = context
  const decoders = new Map<SourceNode, { key: RowDecoder<unknown> | undefined; value: RowDecoder<unknown> }>()
  for (const node of topology.sources) {
    const key = node.key && (await openDecoder(context, node.topic, 'key', node.key))
    decoders.set(node, { key, value: await openDecoder(context, node.topic, 'value', node.value) })
  }
  const encoders = new Map<SinkNode, { key: RowEncoder<unknown> | undefined; value: RowEncoder<unknown> }>()
  const targets = new Map<SinkNode, OutputTarget>()
  const maxValueBytes = new Map<SinkNode, number>()
  const openBatchesOf = new Map<string, OpenBatches>()
  for (const node of topology.sinks) {
    const key = node.key && (await openEncoder(context, node.topic, 'key', node.key))
    encoders.set(node, { key, value: await openEncoder(context, node.topic, 'value', node.value) })
    const described = await writer.topic(node.topic)
    const sources = await Promise.all(sourcesAbove(node).map(({ topic }) => writer.topic(topic)))
    const sameCounts = sources.every(({ partitions }) => partitions === described.partitions)
    const bySource = (node.options.partition ?? 'source') === 'source' && sameCounts
    const openBatches = openBatchesOf.get(node.topic) ?? []
    openBatchesOf.set(node.topic, openBatches)
    targets.set(node, new OutputTarget(node.topic, described, bySource, openBatches))
    maxValueBytes.set(node, described.maxMessageBytes - VALUE_RESERVE_BYTES)
  }
  const deadLetters = await openDeadLetters(context)
  const { models, signatures } = await openModels(context)
  return { decoders, encoders, signatures, maxValueBytes, models, targets, deadLetters }
}

async function openDeadLetters({ topology, writer }: OpenContext): Promise<Map<string, OutputTarget>> {
  const targets = new Map<string, OutputTarget>()
  const sources = await Promise.all(topology.sources.map(source => writer.topic(source.topic)))
  const { steps } = topology.whole ?? topology
  const names = deadLetterTopics(
    topology.name,
    steps.map(({ step }) => step),
  )
  for (const name of names) {
    const described = await writer.topic(name)
    const bySource = sources.every(source => source.partitions <= described.partitions)
    targets.set(name, new OutputTarget(name, described, bySource))
  }
  return targets
}

export function codecContext(
  { registry, readSchema, logger, clock }: Pick<OpenContext, 'registry' | 'readSchema' | 'logger' | 'clock'>,
  topic: string,
  field: RecordField,
): CodecContext {
  return { topic, field, registry, readSchema, logger, now: () => clock.now() }
}

function openDecoder(
  context: OpenContext,
  topic: string,
  field: RecordField,
  codec: Decoder<unknown>,
): Promise<RowDecoder<unknown>> {
  return codec.openDecoder(codecContext(context, topic, field))
}

async function openEncoder(
  context: OpenContext,
  topic: string,
  field: RecordField,
  codec: Encoder<never>,
): Promise<RowEncoder<unknown>> {
  // The types were checked where the sink was declared.
  return (await codec.openEncoder(codecContext(context, topic, field))) as RowEncoder<unknown>
}
