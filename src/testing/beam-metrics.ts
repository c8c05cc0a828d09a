import { nullMetrics } from '../pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'

/** Beam's distribution: whole numbers. */
export interface BeamDistribution {
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
}

/** A metric as Beam reports it. It is there from its first value on. */
export interface BeamMetric {
  readonly namespace: string
  /**
   * With Beam's prefix for models by key, `k1-_num_inferences` beside `num_inferences`, which counts all; with the name of a
   * published model before it, `name1_num_inferences`, and then without the others.
   */
  readonly name: string
  readonly step: string
  /** A number: a counter. */
  readonly value: number | BeamDistribution
}

export interface BeamMetrics extends PipelineMetrics {
  /** Everything that was told so far, by namespace, name and step. */
  all(): readonly BeamMetric[]
}

const BATCHING_NAMESPACE = 'BatchElements'

interface OpenedStep {
  readonly namespace: string
  readonly models: readonly string[]
  /** What published models of the only one are called, by their ids. */
  readonly modelNames: Map<string, string>
  serving: string
}

/** Metrics for a test driver that keeps what Beam's own metrics would say. */
export function beamMetrics(): BeamMetrics {
  const metrics = new Map<string, BeamMetric>()
  const steps = new Map<string, OpenedStep>()
  /** What is left of milliseconds that were not whole, by step. */
  const leftMs = new Map<string, number>()

  const put = (
    namespace: string,
    name: string,
    step: string,
    next: (before: BeamMetric['value'] | undefined) => BeamMetric['value'],
  ) => {
    const id = JSON.stringify([namespace, name, step])
    metrics.set(id, { namespace, name, step, value: next(metrics.get(id)?.value) })
  }
  const namesOf = (step: string, cohort: number, name: string, modelId?: string) => {
    const { models = [], modelNames, serving = '' } = steps.get(step) ?? {}
    // Models on trial stand behind the others.
    const model = models[cohort % models.length] ?? ''
    const modelName = (model === '' && modelNames?.get(modelId ?? serving)) || ''
    if (modelName !== '') return [`${modelName}_${name}`]
    return model === '' ? [name] : [name, `${model}-_${name}`]
  }
  const namespaceOf = (step: string) => steps.get(step)?.namespace ?? ''
  const count = (step: string, cohort: number, name: string, by: number, modelId?: string) => {
    for (const each of namesOf(step, cohort, name, modelId))
      put(namespaceOf(step), each, step, before => ((before as number | undefined) ?? 0) + by)
  }
  const observe = (step: string, cohort: number, name: string, value: number, modelId?: string) => {
    for (const each of namesOf(step, cohort, name, modelId)) put(namespaceOf(step), each, step, including(value))
  }

  return {
    ...nullMetrics,
    stepOpened: (step, namespace, models) =>
      void steps.set(step, { namespace, models, modelNames: new Map(), serving: '' }),
    modelNamed(step, cohort, modelId, modelName) {
      const opened = steps.get(step)!
      opened.modelNames.set(modelId, modelName)
      if (cohort < opened.models.length) opened.serving = modelId
    },
    batchDispatched: (step, _reason, rows) => put(BATCHING_NAMESPACE, 'batch_size', step, including(rows)),
    batchEnded(step, ms) {
      const exact = ms + (leftMs.get(step) ?? 0)
      leftMs.set(step, exact - Math.floor(exact))
      put(BATCHING_NAMESPACE, 'msec_per_batch', step, including(Math.floor(exact)))
    },
    batchSucceeded(step, cohort, rows, bytes, computeMs, _queueMs, modelId) {
      count(step, cohort, 'num_inferences', rows, modelId)
      observe(step, cohort, 'inference_request_batch_size', rows, modelId)
      if (bytes !== undefined) observe(step, cohort, 'inference_request_batch_byte_size', bytes, modelId)
      observe(step, cohort, 'inference_batch_latency_micro_secs', Math.round(computeMs * 1_000), modelId)
    },
    batchFailed: (step, cohort) => count(step, cohort, 'failed_batches_counter', 1),
    modelLoaded(step, cohort, loadMs, sizeBytes) {
      observe(step, cohort, 'load_model_latency_milli_secs', Math.round(loadMs))
      observe(step, cohort, 'model_byte_size', sizeBytes)
    },
    all: () => [...metrics.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, metric]) => metric),
  }
}

function including(value: number) {
  return (before: BeamMetric['value'] | undefined): BeamDistribution => {
    if (before === undefined || typeof before === 'number') return { count: 1, sum: value, min: value, max: value }
    const { count, sum, min, max } = before
    return { count: count + 1, sum: sum + value, min: Math.min(min, value), max: Math.max(max, value) }
  }
}
