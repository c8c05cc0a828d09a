/**
 * Runs example records through the whole engine, as `run` would, on a broker in memory: the real codecs, functions and
 * models, and nothing of it reaches the cluster. No group is joined there and nothing is written.
 */
import { RunInferenceError } from '../errors.ts'
import type { SinkNode } from '../graph.ts'
import { KRI_CODE, KRI_ERROR_MESSAGE, KRI_ERROR_STACK, KRI_NODE, KRI_ORIGIN, KRI_SOURCE } from '../kafka/headers.ts'
import type { KafkaPort, TopicDescription } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import { deadLetterTopics } from '../kafka/topic-names.ts'
import { applyPlan, planTopics } from '../kafka/topics.ts'
import type { Executor } from '../models/executor.ts'
import { silentLogger } from '../ops/logger.ts'
import { nullMetrics } from '../pipeline/null-metrics.ts'
import { startTopology } from '../run.ts'
import { createMemoryBroker } from '../testing/memory-broker.ts'
import type { Topology } from '../topology.ts'
import type { CheckParts } from './check.ts'
import type { ExampleRecord } from './example-records.ts'
import { openReader, type RecordReader, readableCodec } from './readers.ts'
import type { ProducedRecord } from './report.ts'
import { userFrame } from './user-frame.ts'
import { within } from './within.ts'

const BATCH_BYTES = 64 * 1024 * 1024
const DEADLINE_MS = 15_000
const STOP_MS = 2_000
const ONE_BROKER = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }

export interface ExampleFailure {
  readonly topic: string
  readonly node: string
  readonly code: string
  readonly message: string
  /** Where it was thrown in files of the user, if it was there. */
  readonly at: string | undefined
}

export interface ExampleOutcome {
  readonly key: unknown
  readonly value: unknown
  readonly produced: readonly ProducedRecord[]
  readonly failures: readonly ExampleFailure[]
}

/** What becomes of each record, in order. Rejects when the engine cannot start, or does not finish in time. */
export async function runExample(
  topology: Topology,
  topic: string,
  records: readonly ExampleRecord[],
  existing: readonly TopicDescription[],
  parts: CheckParts,
): Promise<ExampleOutcome[]> {
  const { clock, modelFiles, registry, readSchema, settings } = parts
  const broker = createMemoryBroker({ clock })
  const port = broker.connect()
  await port.admin.createTopics(existing.map(each => ({ ...each, partitions: 1, replicationFactor: 1 })))
  await applyPlan(planTopics(topology, existing, ONE_BROKER), port.admin)
  await write(port, topic, records)
  const running = startTopology(
    // Outputs must name the record that they come from.
    { ...topology, provenance: true },
    {
      port: broker.connect(),
      executor: kept(parts.executor),
      ...(modelFiles ? { modelFiles } : {}),
      registry,
      readSchema,
      // When all is done nothing is in flight, and what is not done by then is not waited for.
      settings: { ...settings, start: 'earliest', shutdownBudgetMs: STOP_MS },
      clock,
      random: Math.random,
      logger: silentLogger,
      metrics: nullMetrics,
    },
  )
  try {
    await within(
      clock,
      DEADLINE_MS,
      // An instance that ends by itself has not caught up, and says why.
      Promise.race([running.whenCaughtUp().then(done => (done ? undefined : running.finished)), running.finished]),
      () => new RunInferenceError('STALLED', `the example was not finished within ${DEADLINE_MS / 1000} s`),
    )
  } finally {
    // What went wrong is told by the wait above.
    await within(clock, 2 * STOP_MS, running.stop(), () => new RunInferenceError('STALLED', 'it does not stop')).catch(
      () => {},
    )
  }
  return await outcomesOf(topology, topic, port, parts)
}

async function write(port: KafkaPort, topic: string, records: readonly ExampleRecord[]): Promise<void> {
  const builder = new RecordBatchBuilder(topic, 0, BATCH_BYTES)
  for (const { key, value, headers, timestamp } of records) {
    const wire = encodeHeaders(headers)
    builder.append({
      ...emptyRecord(),
      timestamp,
      key,
      keyEnd: key?.length ?? 0,
      value,
      valueEnd: value?.length ?? 0,
      headers: wire,
      headersEnd: wire.length,
      headerCount: headers.length,
    })
  }
  const writer = port.writer()
  await writer.send([builder.seal()])
  await writer.close()
}

/** The models stay loaded; whoever made the executor closes it. */
function kept(executor: Executor): Executor {
  return { ...executor, close: async () => {} }
}

async function outcomesOf(
  topology: Topology,
  topic: string,
  port: KafkaPort,
  parts: CheckParts,
): Promise<ExampleOutcome[]> {
  const source = topology.sources.find(node => node.topic === topic)!
  const outcomes: { key: unknown; value: unknown; produced: ProducedRecord[]; failures: ExampleFailure[] }[] = []
  const input = await openReader(topic, source.key, source.value, parts)
  for (const record of await recordsOf(topic, port)) {
    await input.prepare(record.block)
    outcomes.push({ ...shownBy(input, record), produced: [], failures: [] })
  }
  const outcomeOf = (headers: ReadonlyMap<string, string>) => {
    const position = headers.get(KRI_ORIGIN) ?? headers.get(KRI_SOURCE)
    return outcomes[Number(position?.split('/').at(-1))]
  }
  for (const name of new Set(topology.sinks.map(sink => sink.topic))) {
    // Several sinks of one topic write with one codec, or readers of the topic could not read it.
    const sink = topology.sinks.find(sink => sink.topic === name) as SinkNode
    const output = await openReader(name, sink.key, readableCodec(sink), parts)
    for (const record of await recordsOf(name, port)) {
      await output.prepare(record.block)
      outcomeOf(record.headers)?.produced.push({ topic: name, ...shownBy(output, record) })
    }
  }
  const steps = topology.steps.map(({ step }) => step)
  for (const name of deadLetterTopics(topology.name, steps)) {
    for (const { headers } of await recordsOf(name, port)) {
      const text = (header: string) => headers.get(header) ?? ''
      const failure = {
        topic: name,
        node: text(KRI_NODE),
        code: text(KRI_CODE),
        message: text(KRI_ERROR_MESSAGE),
        at: userFrame(text(KRI_ERROR_STACK)),
      }
      outcomeOf(headers)?.failures.push(failure)
    }
  }
  return outcomes
}

interface Row {
  readonly block: RecordBlock
  readonly row: number
  readonly headers: ReadonlyMap<string, string>
}

function shownBy(reader: RecordReader, { block, row }: Row): { readonly key: unknown; readonly value: unknown } {
  // What it means that a field cannot be decoded stands in its dead letter.
  return { key: reader.key(block, row).shown, value: reader.value(block, row).shown }
}

async function recordsOf(topic: string, port: KafkaPort): Promise<Row[]> {
  const rows: Row[] = []
  for await (const block of port.scan([{ topic, partition: 0, from: 'earliest', to: 'end' }])) {
    for (let row = 0; row < block.count; row++) {
      const headers = new Map(block.headers(row).map(([name, value]) => [name, value?.toString() ?? '']))
      rows.push({ block, row, headers })
    }
  }
  return rows
}
