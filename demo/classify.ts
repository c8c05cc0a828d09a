import { RunInferenceError } from '../src/errors.ts'
import { nullMetrics } from '../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../src/pipeline/pipeline-metrics.ts'
import type { RunningTopology } from '../src/run.ts'

/** What the topology says about its own work. */
export interface ClassifyCounts {
  batches: number
  rows: number
  computeMs: number
  queueMs: number
  /** Source records whose outputs are acknowledged. */
  acknowledged: number
  firstBlockAtMs: number
  lastAcknowledgedAtMs: number
  /** Processor time of the main thread from then to then: unlike the throughput, no matter what else the machine does. */
  mainThreadMs: number
}

const STALLED_AFTER_MS = 60_000
const LOOK_EVERY_MS = 100

export function countingMetrics(): { readonly counts: ClassifyCounts; readonly metrics: PipelineMetrics } {
  const counts: ClassifyCounts = {
    batches: 0,
    rows: 0,
    computeMs: 0,
    queueMs: 0,
    acknowledged: 0,
    firstBlockAtMs: 0,
    lastAcknowledgedAtMs: 0,
    mainThreadMs: 0,
  }
  let firstMainThreadMs = 0
  const metrics: PipelineMetrics = {
    ...nullMetrics,
    blockReceived() {
      if (counts.firstBlockAtMs > 0) return
      counts.firstBlockAtMs = performance.now()
      firstMainThreadMs = mainThreadMs()
    },
    batchDispatched(_step, _reason, rows) {
      counts.batches++
      counts.rows += rows
    },
    batchSucceeded(_step, _cohort, _rows, _bytes, computeMs, queueMs) {
      counts.computeMs += computeMs
      counts.queueMs += queueMs
    },
    unitAcknowledged(_topic, records) {
      counts.acknowledged += records
      counts.lastAcknowledgedAtMs = performance.now()
      counts.mainThreadMs = mainThreadMs() - firstMainThreadMs
    },
  }
  return { counts, metrics }
}

function mainThreadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

type OnProgress = (acknowledged: number) => void

/** Resolves when the group has committed its whole input; rejects when the topology ends, or gets no further. */
export async function untilDrained(
  running: RunningTopology,
  counts: ClassifyCounts,
  onProgress: OnProgress,
): Promise<void> {
  await watched(running, counts, onProgress, running.whenCaughtUp())
}

/** The same for so many records of the input. */
export async function untilAcknowledged(
  running: RunningTopology,
  counts: ClassifyCounts,
  records: number,
  onProgress: OnProgress,
): Promise<void> {
  const reached = Promise.withResolvers<void>()
  const look = (acknowledged: number) => {
    onProgress(acknowledged)
    if (acknowledged >= records) reached.resolve()
  }
  await watched(running, counts, look, reached.promise)
}

/** Resolves as `work` does; rejects when the topology ends before. */
export async function whileRunning<T>(running: RunningTopology, work: Promise<T>): Promise<T> {
  const ended = running.finished.then(() => {
    throw new RunInferenceError('CLOSED', 'the topology was stopped before its input was drained')
  })
  // Whatever is decided, the end of the topology belongs to whoever stops it.
  ended.catch(() => {})
  return await Promise.race([work, ended])
}

async function watched(
  running: RunningTopology,
  counts: ClassifyCounts,
  onProgress: OnProgress,
  work: Promise<unknown>,
): Promise<void> {
  const stalled = Promise.withResolvers<never>()
  let seen = -1
  let movedAtMs = performance.now()
  const look = setInterval(() => {
    if (counts.acknowledged !== seen) movedAtMs = performance.now()
    seen = counts.acknowledged
    onProgress(seen)
    if (performance.now() - movedAtMs > STALLED_AFTER_MS) stalled.reject(stall(running, seen))
  }, LOOK_EVERY_MS)
  try {
    await whileRunning(running, Promise.race([work, stalled.promise]))
  } finally {
    clearInterval(look)
  }
}

function stall(running: RunningTopology, acknowledged: number): RunInferenceError {
  const { state, problems } = running.health()
  return new RunInferenceError(
    'STALLED',
    `the topology has not finished a record for ${STALLED_AFTER_MS / 1000} s after ${acknowledged}; it is ${state}, ` +
      `and says: ${JSON.stringify(problems)}`,
  )
}
