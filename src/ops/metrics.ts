/**
 * What an instance tells Prometheus; the only importer of prom-client. Beam's metrics keep Beam's names and units; ours
 * begin with `kri_` and use base units. Everything is called per batch or per block, never per record.
 * `docs/metrics.md` lists them all, and a test keeps the two in step.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { LaneRestarts } from '../models/executor.ts'
import type { ServedModel } from '../models/served-models.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'

/** Label names. */
export const LABEL = {
  step: 'step',
  stage: 'stage',
  code: 'code',
  reason: 'reason',
  topic: 'topic',
  partition: 'partition',
  node: 'node',
  state: 'state',
  what: 'what',
  provider: 'provider',
  lane: 'lane',
} as const

const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
const BATCH_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8]
const MICROSECONDS = [50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 1e6, 1e7]
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What is looked at when somebody asks, instead of being told. */
export interface LaneView {
  readonly id: number
  /** Places taken. */
  readonly occupied: number
  /** How long the call that now runs in native code has been running. */
  busyMs(): number
  /** How often its worker was lost and replaced, by why. */
  readonly restarts: LaneRestarts
}

export interface Metrics extends PipelineMetrics {
  /** Shows these lanes from now on. */
  watchLanes(lanes: readonly LaneView[]): void
  /** Shows from now on whether this instance is ready. */
  watchReady(isReady: () => boolean): void
  /** A partition went to another instance: its lag is not ours to tell any more. */
  forgetPartition(topic: string, partition: number): void
  /** The main thread did not run for so long. */
  stalled(ms: number): void
  /** The exposition format, for `/metrics`. */
  text(): Promise<string>
  readonly contentType: string
  /** Name, kind and help of every metric. */
  list(): Promise<readonly { readonly name: string; readonly type: string; readonly help: string }[]>
}

type SetValue = (value: number, labels?: Readonly<Record<string, string | number>>) => void

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers })
  /** Looked at when somebody asks. */
  const asked = (name: string, help: string, labelNames: string[], look: (set: SetValue) => void) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset()
        look((value, labels = {}) => this.set(labels, value))
      },
    })
  const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
    new Histogram({ name, help, buckets, labelNames, registers })

  // Beam's names and units.
  const inferences = counter('num_inferences', 'Rows for which inference succeeded.', LABEL.step)
  const failedBatches = counter('failed_batches_counter', 'Calls to a model that threw.', LABEL.step)
  const batchSize = histogram('inference_request_batch_size', 'Rows per call that succeeded.', BATCH_SIZES, LABEL.step)
  const batchBytes = histogram(
    'inference_request_batch_byte_size',
    'Input bytes per call that succeeded.',
    BATCH_BYTES,
    LABEL.step,
  )
  const latency = histogram(
    'inference_batch_latency_micro_secs',
    'Time inside the model per call that succeeded, in microseconds.',
    MICROSECONDS,
    LABEL.step,
  )
  const loadLatency = gauge(
    'load_model_latency_milli_secs',
    'Time of the last load of the model, in milliseconds.',
    LABEL.step,
  )
  const modelBytes = gauge('model_byte_size', 'Size of the loaded model file, in bytes.', LABEL.step)

  // The way of the records.
  const recordsIn = counter('kri_records_in_total', 'Records that were fetched.', LABEL.topic)
  const bytesIn = counter('kri_bytes_in_total', 'Memory of the blocks that were fetched.', LABEL.topic)
  const recordsDone = counter('kri_records_done_total', 'Records whose outputs are all acknowledged.', LABEL.topic)
  const unitTime = histogram(
    'kri_unit_seconds',
    'Time from the fetch of the oldest record of a commit unit to its acknowledgement.',
    SECONDS,
    LABEL.topic,
  )
  const deadLetters = counter('kri_dead_letters_total', 'Dead letters.', LABEL.stage, LABEL.step, LABEL.code)
  const dropped = counter('kri_records_dropped_total', 'Records that ended as a counted drop.', LABEL.node)
  const lost = counter(
    'kri_records_lost_total',
    'Records in flight whose partition went to another member.',
    LABEL.topic,
  )
  const clamped = counter('kri_timestamps_clamped_total', 'Output timestamps that were too far ahead for the broker.')

  // Batches and lanes.
  const batches = counter('kri_batches_total', 'Batches, by why they closed.', LABEL.step, LABEL.reason)
  const batchWait = histogram(
    'kri_batch_wait_seconds',
    'Time from the first record of a batch to its dispatch.',
    SECONDS,
    LABEL.step,
  )
  const rowsDispatched = counter('kri_rows_dispatched_total', 'Rows that left in batches.', LABEL.step)
  const rowWait = counter(
    'kri_row_wait_seconds_total',
    'Time that rows waited for their batches, of all rows together.',
    LABEL.step,
  )
  const padding = counter(
    'kri_padding_bytes_total',
    'Input bytes that fill rows up to the longest of their batch.',
    LABEL.step,
  )
  const adaptive = gauge(
    'kri_batch_adaptive_rows',
    'The size that past batches suggest, where batches are adaptive.',
    LABEL.step,
  )
  const batchQueue = histogram(
    'kri_batch_queue_seconds',
    'Time from the dispatch of a batch to its start in the model.',
    SECONDS,
    LABEL.step,
  )
  const compute = histogram('kri_batch_compute_seconds', 'Time of a batch inside the model.', SECONDS, LABEL.step)
  const ceiling = gauge(
    'kri_batch_ceiling_rows',
    'The most rows of a batch: maxSize, or fewer since larger ones were too much for the device or for their time.',
    LABEL.step,
  )
  let models: () => readonly ServedModel[] = () => []
  asked(
    'kri_model_provider',
    "Lanes that run the step's model on this execution provider.",
    [LABEL.step, LABEL.provider],
    set => {
      for (const { step, provider, lanes: count } of models()) set(count, { step, provider })
    },
  )
  const breaker = gauge('kri_breaker_state', '1 for the state that the breaker is in.', LABEL.step, LABEL.state)
  let lanes: readonly LaneView[] = []
  asked('kri_lane_occupied', 'Places of a lane that are taken: 0 to 4; the first one runs.', [LABEL.lane], set => {
    for (const { id, occupied } of lanes) set(occupied, { lane: id })
  })
  asked(
    'kri_lane_busy_seconds',
    'How long the call that now runs in native code has been running.',
    [LABEL.lane],
    set => {
      for (const lane of lanes) set(lane.busyMs() / 1_000, { lane: lane.id })
    },
  )
  new Counter({
    name: 'kri_lane_restarts_total',
    help: 'Workers of a lane that were lost and replaced: crash, or timeout when a call took too long.',
    labelNames: [LABEL.lane, LABEL.reason],
    registers,
    collect() {
      this.reset()
      for (const { id, restarts } of lanes)
        for (const [reason, count] of Object.entries(restarts)) this.inc({ lane: id, reason }, count)
    },
  })

  // Admission, commits, lag.
  const inFlightRows = gauge('kri_in_flight_rows', 'Rows between fetch and acknowledgement.')
  const inFlightBytes = gauge('kri_in_flight_bytes', 'Bytes between fetch and acknowledgement.')
  const commits = counter('kri_commits_total', 'Offsets that were committed.', LABEL.topic)
  const committedOffset = gauge('kri_committed_offset', 'The next offset to read.', LABEL.topic, LABEL.partition)
  const lagRecords = gauge('kri_lag_records', 'Records behind the log end.', LABEL.topic, LABEL.partition)
  const lagSeconds = gauge('kri_lag_seconds', 'Age of the oldest unfinished record.', LABEL.topic, LABEL.partition)
  const retries = counter('kri_retries_total', 'Things that were tried again.', LABEL.what)

  // The process.
  let isReady = () => false
  asked('kri_ready', '1 while the instance is ready: models loaded, a member of its group.', [], set =>
    set(isReady() ? 1 : 0),
  )
  let longestStallMs = 0
  const stallHelp = 'The longest time, since it was last asked, in which the main thread did not run.'
  asked('kri_event_loop_stall_seconds', stallHelp, [], set => {
    set(longestStallMs / 1_000)
    longestStallMs = 0
  })
  asked('process_resident_memory_bytes', 'Resident memory.', [], set => set(process.memoryUsage.rss()))
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of all threads.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })

  return {
    blockReceived(topic, records, bytes) {
      recordsIn.inc({ topic }, records)
      bytesIn.inc({ topic }, bytes)
    },
    batchDispatched(step, reason, rows, { firstMs, allMs }, paddingBytes) {
      batches.inc({ step, reason })
      batchWait.observe({ step }, firstMs / 1_000)
      rowsDispatched.inc({ step }, rows)
      rowWait.inc({ step }, allMs / 1_000)
      if (paddingBytes > 0) padding.inc({ step }, paddingBytes)
    },
    batchAdaptive: (step, rows) => adaptive.set({ step }, rows),
    batchSucceeded(step, rows, bytes, computeMs, queueMs) {
      inferences.inc({ step }, rows)
      batchSize.observe({ step }, rows)
      batchBytes.observe({ step }, bytes)
      latency.observe({ step }, Math.round(computeMs * 1_000))
      compute.observe({ step }, computeMs / 1_000)
      batchQueue.observe({ step }, queueMs / 1_000)
    },
    batchFailed: step => failedBatches.inc({ step }),
    batchCeiling: (step, rows) => ceiling.set({ step }, rows),
    modelLoaded(step, loadMs, sizeBytes) {
      loadLatency.set({ step }, Math.round(loadMs))
      modelBytes.set({ step }, sizeBytes)
    },
    deadLetters: (stage, step, code, count) => deadLetters.inc({ stage, step, code }, count),
    dropped: (node, count) => dropped.inc({ node }, count),
    timestampsClamped: count => clamped.inc(count),
    unitAcknowledged(topic, records, oldestMs) {
      recordsDone.inc({ topic }, records)
      unitTime.observe({ topic }, oldestMs / 1_000)
    },
    committed(topic, partition, offset) {
      commits.inc({ topic })
      committedOffset.set({ topic, partition }, offset)
    },
    inFlight(rows, bytes) {
      inFlightRows.set(rows)
      inFlightBytes.set(bytes)
    },
    lag(topic, partition, records, seconds) {
      lagRecords.set({ topic, partition }, records)
      lagSeconds.set({ topic, partition }, seconds)
    },
    breakerState(step, state) {
      for (const each of ['closed', 'half-open', 'open']) breaker.set({ step, state: each }, each === state ? 1 : 0)
    },
    retried: what => retries.inc({ what }),
    lost: (topic, records) => lost.inc({ topic }, records),
    watchModels(served) {
      models = served
    },
    watchLanes(views) {
      lanes = views
    },
    watchReady(view) {
      isReady = view
    },
    forgetPartition(topic, partition) {
      for (const each of [committedOffset, lagRecords, lagSeconds]) each.remove({ topic, partition })
    },
    stalled(ms) {
      longestStallMs = Math.max(longestStallMs, ms)
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    list: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({ name, type: String(type), help })),
  }
}
