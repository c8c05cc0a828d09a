/** What is told of models, by Beam's names and units. */
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { LABEL, MAX_MODEL_LABELS, StepLabels } from './metric-labels.ts'
import type { Prometheus } from './prometheus.ts'

const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
const BATCH_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8]
const MICROSECONDS = [50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 1e6, 1e7]
const MILLISECONDS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4]
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
/** Beam's own, of its transform that makes batches. */
const BATCHING_NAMESPACE = 'BatchElements'

export type ModelMetrics = Pick<
  PipelineMetrics,
  | 'stepOpened'
  | 'modelNamed'
  | 'modelRevision'
  | 'modelRefreshFailed'
  | 'modelTrial'
  | 'modelTrialGivenUp'
  | 'batchSucceeded'
  | 'batchFailed'
  | 'batchDispatched'
  | 'batchEnded'
  | 'modelLoaded'
  | 'modelEvicted'
  | 'modelsResident'
  | 'modelSwapEnded'
>

export function createModelMetrics({ counter, gauge, histogram }: Prometheus): ModelMetrics {
  const labels = new StepLabels()
  const ofModel = [LABEL.namespace, LABEL.step, LABEL.model, LABEL.track]
  const ofStep = [LABEL.namespace, LABEL.step]
  const inferences = counter('num_inferences', 'Rows for which inference succeeded.', ...ofModel)
  const failedBatches = counter(
    'failed_batches_counter',
    'Batches whose call to the model failed, or whose results could not be read.',
    ...ofModel,
  )
  const requestSize = histogram(
    'inference_request_batch_size',
    'Rows per call that succeeded.',
    BATCH_SIZES,
    ...ofModel,
  )
  const requestBytes = histogram(
    'inference_request_batch_byte_size',
    'Input bytes per call that succeeded.',
    BATCH_BYTES,
    ...ofModel,
  )
  const latency = histogram(
    'inference_batch_latency_micro_secs',
    'Time inside the model per call that succeeded, in microseconds.',
    MICROSECONDS,
    ...ofModel,
  )
  const loadLatency = gauge(
    'load_model_latency_milli_secs',
    'Time of the last load of the model, in milliseconds.',
    ...ofModel,
  )
  const modelBytes = gauge('model_byte_size', 'Size of the loaded model file, in bytes.', ...ofModel)
  const batchSize = histogram('batch_size', 'Rows per batch, as it leaves for a lane.', BATCH_SIZES, ...ofStep)
  const batchTime = histogram(
    'msec_per_batch',
    'Time from the dispatch of a batch until its rows have left the step, in milliseconds.',
    MILLISECONDS,
    ...ofStep,
  )
  const loads = counter('kri_model_loads_total', 'Loads of models.', LABEL.step, LABEL.model, LABEL.track)
  const evictions = counter(
    'kri_model_evictions_total',
    'Models that a lane let go to make room for another one.',
    LABEL.step,
    LABEL.model,
    LABEL.track,
  )
  const resident = gauge('kri_models_resident', 'Models of the step that a lane holds.', LABEL.step, LABEL.lane)

  const revisions = gauge(
    'kri_model_revision',
    'The newest revision that this instance has read for the model; 0: none is published.',
    LABEL.step,
    LABEL.model,
  )
  const current = gauge(
    'kri_model_current',
    '1 while that revision serves, 0 while it is loaded or cannot be used.',
    LABEL.step,
    LABEL.model,
  )
  const refreshFailures = counter(
    'kri_model_refresh_failures_total',
    'Published models that cannot be used here, by the code of the error.',
    LABEL.step,
    LABEL.model,
    LABEL.track,
    LABEL.code,
  )
  const trials = gauge(
    'kri_model_trial_percent',
    'Share of the keys that the model on trial beside this one has here, in percent; 0: none.',
    LABEL.step,
    LABEL.model,
  )
  const givenUp = counter(
    'kri_model_trials_given_up_total',
    'Models on trial that were given up here, by what was too much (failures or latency), or for an error that would have ended the application (error).',
    LABEL.step,
    LABEL.model,
    LABEL.reason,
  )
  const swaps = counter(
    'kri_model_swaps_total',
    'Models that were loaded beside the one that serves: served, failed, timeout, cancelled or discarded.',
    LABEL.step,
    LABEL.outcome,
  )
  const swapTime = histogram(
    'kri_model_swap_seconds',
    'Time from the beginning of such a load until the model served, or the load ended without that.',
    SECONDS,
    LABEL.step,
    LABEL.outcome,
  )

  return {
    stepOpened: (step, namespace, models) => labels.open(step, namespace, models),
    modelNamed: (step, cohort, modelId, modelName) => labels.rename(step, cohort, modelId, modelName),
    modelRevision(step, cohort, revision, isCurrent) {
      // Those behind share one label, and would overwrite one another.
      if (cohort >= MAX_MODEL_LABELS) return
      const slot = labels.slotOf(step, cohort)
      revisions.set(slot, revision)
      current.set(slot, isCurrent ? 1 : 0)
    },
    modelRefreshFailed: (step, cohort, code) => refreshFailures.inc({ ...labels.slotOf(step, cohort), code }),
    modelTrial(step, cohort, percent) {
      if (percent === 0) labels.endTrial(step, cohort)
      if (cohort < MAX_MODEL_LABELS) trials.set(labels.slotOf(step, cohort), percent)
    },
    modelTrialGivenUp: (step, cohort, about) => givenUp.inc({ ...labels.slotOf(step, cohort), reason: about }),
    batchDispatched: (step, _reason, rows) => batchSize.observe({ beam_namespace: BATCHING_NAMESPACE, step }, rows),
    batchEnded: (step, ms) => batchTime.observe({ beam_namespace: BATCHING_NAMESPACE, step }, ms),
    batchSucceeded(step, cohort, rows, bytes, computeMs, _queueMs, modelId) {
      const model = labels.of(step, cohort, modelId)
      inferences.inc(model, rows)
      requestSize.observe(model, rows)
      if (bytes !== undefined) requestBytes.observe(model, bytes)
      latency.observe(model, Math.round(computeMs * 1_000))
    },
    batchFailed: (step, cohort) => failedBatches.inc(labels.of(step, cohort)),
    modelLoaded(step, cohort, loadMs, sizeBytes) {
      const model = labels.of(step, cohort)
      loadLatency.set(model, Math.round(loadMs))
      modelBytes.set(model, sizeBytes)
      loads.inc(withoutNamespace(model))
    },
    modelEvicted: (step, cohort) => evictions.inc(withoutNamespace(labels.of(step, cohort))),
    modelsResident: (step, lane, count) => resident.set({ step, lane }, count),
    modelSwapEnded(step, outcome, ms) {
      swaps.inc({ step, outcome })
      swapTime.observe({ step, outcome }, ms / 1_000)
    },
  }
}

function withoutNamespace({ beam_namespace: _, ...labels }: Readonly<Record<string, string>>) {
  return labels
}
