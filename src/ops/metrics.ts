/**
 * What an instance tells Prometheus: one registry. Beam's metrics keep Beam's names and units; ours begin with `kri_` and use
 * base units. Everything is called per batch or per block, never per record.
 * `docs/metrics.md` lists them all, and a test keeps the two in step.
 */
import type { LaneRestarts } from '../models/executor.ts'
import type { ServedModel } from '../models/served-models.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { createBatchMetrics } from './batch-metrics.ts'
import { LABEL } from './metric-labels.ts'
import { createModelMetrics } from './model-metrics.ts'
import { createPrometheus, type Prometheus } from './prometheus.ts'
import { createRecordMetrics } from './record-metrics.ts'
import { createShadowMetrics } from './shadow-metrics.ts'
import { createTransactionMetrics } from './transaction-metrics.ts'

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

export interface Metrics extends PipelineMetrics, Pick<Prometheus, 'text' | 'contentType' | 'list' | 'read'> {
  /** Shows these lanes from now on; `leaving`: those that were let go and have not ended. Both are lists that change. */
  watchLanes(lanes: readonly LaneView[], leaving?: readonly LaneView[]): void
  /** Shows from now on whether this instance is ready. */
  watchReady(isReady: () => boolean): void
  /** The main thread did not run for so long. */
  stalled(ms: number): void
}

export function createMetrics(): Metrics {
  const prometheus = createPrometheus()
  const models = createModelMetrics(prometheus)
  const records = createRecordMetrics(prometheus)
  const batches = createBatchMetrics(prometheus)
  const shadows = createShadowMetrics(prometheus)
  return {
    ...models,
    ...records,
    ...batches,
    ...createTransactionMetrics(prometheus),
    ...shadows,
    stepOpened(...step) {
      models.stepOpened(...step)
      shadows.stepOpened(...step)
    },
    batchDispatched(...batch) {
      models.batchDispatched(...batch)
      batches.batchDispatched(...batch)
    },
    batchSucceeded(...call) {
      models.batchSucceeded(...call)
      batches.batchSucceeded(...call)
    },
    watchModels: watchModels(prometheus),
    watchLanes: watchLanes(prometheus),
    ...watchProcess(prometheus),
    text: prometheus.text,
    contentType: prometheus.contentType,
    list: prometheus.list,
    read: prometheus.read,
  }
}

function watchModels({ asked }: Prometheus): Metrics['watchModels'] {
  let models: () => readonly ServedModel[] = () => []
  asked(
    'kri_model_provider',
    "Copies of the step's models, one a lane, on this execution provider.",
    [LABEL.step, LABEL.provider],
    set => {
      const copies = new Map<string, number>()
      for (const { step, provider, lanes: count } of models()) {
        const id = JSON.stringify([step, provider])
        copies.set(id, (copies.get(id) ?? 0) + count)
        set(copies.get(id)!, { step, provider })
      }
    },
  )
  return served => {
    models = served
  }
}

function watchLanes({ asked, askedCounter }: Prometheus): Metrics['watchLanes'] {
  let lanes: readonly LaneView[] = []
  let leaving: readonly LaneView[] = []
  asked('kri_lanes_leaving', 'Lanes that were let go and have not ended.', [], set => set(leaving.length))
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
  askedCounter(
    'kri_lane_restarts_total',
    'Workers of a lane that were lost and replaced: crash, or timeout when a call took too long.',
    [LABEL.lane, LABEL.reason],
    set => {
      for (const { id, restarts } of lanes)
        for (const [reason, count] of Object.entries(restarts)) set(count, { lane: id, reason })
    },
  )
  return (views, left = []) => {
    lanes = views
    leaving = left
  }
}

function watchProcess({ asked, askedCounter }: Prometheus): Pick<Metrics, 'watchReady' | 'stalled'> {
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
  askedCounter('process_cpu_seconds_total', 'Processor time of all threads.', [], set => {
    const { user, system } = process.cpuUsage()
    set((user + system) / 1e6)
  })
  return {
    watchReady(view) {
      isReady = view
    },
    stalled(ms) {
      longestStallMs = Math.max(longestStallMs, ms)
    },
  }
}
