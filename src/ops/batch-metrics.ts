/** What is told of batches, functions and breakers. */
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { LABEL } from './metric-labels.ts'
import { type Prometheus, SECONDS } from './prometheus.ts'

export type BatchMetrics = Pick<
  PipelineMetrics,
  | 'batchDispatched'
  | 'batchAdaptive'
  | 'batchSucceeded'
  | 'batchCeiling'
  | 'breakerState'
  | 'halted'
  | 'retried'
  | 'slowFunction'
>

export function createBatchMetrics({ counter, gauge, histogram }: Prometheus): BatchMetrics {
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
  const breaker = gauge('kri_breaker_state', '1 for the state that the breaker is in.', LABEL.step, LABEL.state)
  const isHalted = gauge('kri_halted', '1 while the flood guard halts the application: an operator resumes it.')
  const retries = counter(
    'kri_retries_total',
    'Things that were tried again; step is there where they belong to one.',
    LABEL.what,
    LABEL.step,
  )
  const slowCalls = counter(
    'kri_slow_function_calls_total',
    'Calls of synchronous functions that kept the main thread for more than 100 ms.',
    LABEL.step,
    LABEL.function,
  )
  const slowTime = counter(
    'kri_slow_function_seconds_total',
    'How long these calls kept it, all together.',
    LABEL.step,
    LABEL.function,
  )

  return {
    batchDispatched(step, reason, rows, { firstMs, allMs }, paddingBytes) {
      batches.inc({ step, reason })
      batchWait.observe({ step }, firstMs / 1_000)
      rowsDispatched.inc({ step }, rows)
      rowWait.inc({ step }, allMs / 1_000)
      if (paddingBytes > 0) padding.inc({ step }, paddingBytes)
    },
    batchAdaptive: (step, rows) => adaptive.set({ step }, rows),
    batchSucceeded(step, _cohort, _rows, _bytes, computeMs, queueMs) {
      compute.observe({ step }, computeMs / 1_000)
      batchQueue.observe({ step }, queueMs / 1_000)
    },
    batchCeiling: (step, rows) => ceiling.set({ step }, rows),
    breakerState(step, state) {
      for (const each of ['closed', 'half-open', 'open']) breaker.set({ step, state: each }, each === state ? 1 : 0)
    },
    halted: halted => isHalted.set(halted ? 1 : 0),
    retried: (what, step) => retries.inc(step === undefined ? { what } : { what, step }),
    slowFunction({ step, stage, node }, index, ms) {
      // Functions around a handler share the node of their step.
      const labels = { step, function: index < 0 ? node : `${node} ${stage}[${index}]` }
      slowCalls.inc(labels)
      slowTime.inc(labels, ms / 1_000)
    },
  }
}
