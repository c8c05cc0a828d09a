/**
 * The course of the demo: half of the input waits when the topology starts. While records go on coming in, a bad model is
 * published, which changes nothing, and then a better one. When that serves, the rest is written and drained.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Digit } from '../schemas/types.ts'
import { modelSourceOf } from '../src/cli/model-access.ts'
import { avro } from '../src/kafka/avro-codec.ts'
import type { RowEncoder } from '../src/kafka/codec.ts'
import { readSchemaFile } from '../src/kafka/schema-files.ts'
import { loadSettings } from '../src/load-settings.ts'
import { createThreadExecutor } from '../src/models/thread-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import type { PipelineMetrics } from '../src/pipeline/pipeline-metrics.ts'
import { type RunningTopology, startTopology } from '../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../src/run-settings.ts'
import { type ClassifyCounts, countingMetrics, untilAcknowledged, untilDrained, whileRunning } from './classify.ts'
import { BAD_MODEL, BETTER_MODEL, FIRST_MODEL } from './digit-models.ts'
import { badRecordsAmong } from './input.ts'
import { codecContext, type Parts } from './parts.ts'
import { produceInput } from './produce.ts'
import { type Publication, publish } from './publish.ts'
import { throughput, whole } from './summary.ts'

export interface Course {
  /** Of the whole run. */
  readonly counts: ClassifyCounts
  /** As they were when the first half was done, which had waited. */
  readonly backlog: ClassifyCounts
  readonly bad: Publication
  readonly better: Publication
}

const MAX_BATCH_ROWS = 256
/** While a model is published, an eighth of all records comes at most, in portions that become smaller: there are some however long it takes. */
const PORTION_EVERY_MS = 50
const PUBLISHING_SHARE = 1 / 8
const PORTION_SHARE = 1 / 40

export async function runCourse(parts: Parts): Promise<Course> {
  const { flags, resources, screen, cluster, topology } = parts
  const { records } = flags
  const half = Math.ceil(records / 2)
  const write = await openInput(parts)
  const producing = screen.step('produce')
  await write(0, half, done => producing.progress(`${whole(done)} of ${whole(half)} records`, done / half))
  const { topic } = topology.sources[0]!
  producing.done(`${whole(half)} digits to ${topic}, of which ${whole(badRecordsAmong(half))} are bad records`)

  const classifying = screen.step('classify')
  classifying.progress('loading the model, joining the group', 0)
  const { counts, metrics } = countingMetrics()
  const running = start(parts, metrics)
  const tell = (done: number) => classifying.progress(`${whole(done)} of ${whole(half)} records`, done / half)
  await untilAcknowledged(running, counts, half, tell)
  const backlog = { ...counts }
  classifying.done(`${whole(half)} records by ${FIRST_MODEL}, ${whole(throughput(backlog))} a second`)

  let next = half
  const publishing = async (modelId: string, unchecked: boolean): Promise<Publication> => {
    const step = screen.step('publish')
    step.progress(`${modelId}: kri models publish --wait`)
    const over = new AbortController()
    const publication = publish({ brokers: cluster.brokers, modelId, unchecked, resources })
    publication.finally(() => over.abort()).catch(() => {})
    const from = next
    const trickle = async () => {
      const most = next + Math.floor(records * PUBLISHING_SHARE)
      while (next < most && !over.signal.aborted) {
        const to = next + Math.ceil((most - next) * PORTION_SHARE)
        await write(next, to)
        next = to
        await delay(PORTION_EVERY_MS)
      }
    }
    const [published] = await whileRunning(running, Promise.all([publication, trickle()]))
    step.done(`${publicationText(published)}, while ${whole(next - from)} records came`)
    return published
  }
  const bad = await publishing(BAD_MODEL, true)
  const better = await publishing(BETTER_MODEL, false)

  const draining = screen.step('classify')
  await write(next, records)
  await untilDrained(running, counts, done =>
    draining.progress(`${whole(done)} of ${whole(records)} records`, done / records),
  )
  await running.stop()
  draining.done(`${whole(counts.acknowledged)} records in all, in the group ${topology.name}`)
  return { counts, backlog, bad, better }
}

function publicationText({ modelId, outcome, reason }: Publication): string {
  if (outcome === 'current') return `${modelId} serves`
  return outcome === 'failed' ? `${modelId} is refused` : `${modelId}: ${outcome} ${reason ?? ''}`
}

/** Writes records of these numbers, the last one excluded. */
export type Write = (from: number, to: number, onProgress?: (acknowledged: number) => void) => Promise<void>

export async function openInput({
  topology,
  images,
  port,
  registry,
  logger,
  flags,
  signal,
  resources,
}: Parts): Promise<Write> {
  const { topic } = topology.sources[0]!
  const encoder = await avro<Digit>('digit').openEncoder(codecContext(topic, registry, logger))
  const writer = port.writer()
  resources.defer(() => writer.close())
  const { partitions } = flags
  const encode = (digit: Digit) => encodeWith(encoder, digit)
  return (from, to, onProgress = () => {}) =>
    produceInput({ writer, topic, partitions, images, from, to, encode, onProgress, signal })
}

function start(parts: Parts, metrics: PipelineMetrics): RunningTopology {
  const { cluster, topology, port, registry, logger, signal, resources } = parts
  signal.throwIfAborted()
  const clock = systemClock
  const lanes = Math.max(1, availableParallelism() - 1)
  const settings = loadSettings({ flags: { brokers: cluster.brokers.join() } })
  const running = startTopology(topology, {
    port,
    executor: createThreadExecutor({ lanes, maxBatchRows: MAX_BATCH_ROWS }, { logger, clock, random: Math.random }),
    registry,
    readSchema: readSchemaFile,
    settings: DEFAULT_RUN_SETTINGS,
    clock,
    random: Math.random,
    logger,
    metrics,
    modelFiles: modelSourceOf(settings, topology, clock),
  })
  resources.defer(() => running.stop().catch(() => {})) // A topology that failed has been reported by `runCourse`.
  return running
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
