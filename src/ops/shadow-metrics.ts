/** What is told of shadows. None of it is in the metrics of the models that serve. */
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import type { ShadowMetrics } from '../pipeline/shadow-metrics.ts'
import { LABEL, MAX_MODEL_LABELS, StepLabels } from './metric-labels.ts'
import { type Prometheus, SECONDS } from './prometheus.ts'

export function createShadowMetrics({
  counter,
  gauge,
  histogram,
}: Prometheus): ShadowMetrics & Pick<PipelineMetrics, 'stepOpened'> {
  const labels = new StepLabels()
  const rows = counter(
    'kri_shadow_rows_total',
    'Rows that a shadow scored beside the model that serves: same, different, or failed on the shadow alone.',
    LABEL.step,
    LABEL.model,
    LABEL.outcome,
  )
  const dropped = counter(
    'kri_shadow_dropped_rows_total',
    'Rows that a shadow should have scored and did not: full, outage, failed, unwritten or closed.',
    LABEL.step,
    LABEL.model,
    LABEL.reason,
  )
  const unwritten = counter(
    'kri_shadow_unwritten_rows_total',
    'Rows that a shadow scored and whose records were not written.',
    LABEL.step,
    LABEL.model,
  )
  const difference = gauge(
    'kri_shadow_max_difference',
    'The largest difference between two numbers of both models, since the shadow began.',
    LABEL.step,
    LABEL.model,
  )
  const compute = histogram(
    'kri_shadow_compute_seconds',
    'Time of a batch inside the shadow.',
    SECONDS,
    LABEL.step,
    LABEL.model,
  )
  const setDifference = (step: string, cohort: number, value: number) => {
    // Those behind share one label, and would overwrite one another.
    if (cohort < MAX_MODEL_LABELS) difference.set(labels.slotOf(step, cohort), value)
  }
  return {
    stepOpened: (step, namespace, models) => labels.open(step, namespace, models),
    shadowBegan: (step, cohort) => setDifference(step, cohort, 0),
    shadowRan: (step, cohort, computeMs) => compute.observe(labels.slotOf(step, cohort), computeMs / 1_000),
    shadowCompared(step, cohort, { same, different, failed }, maxDifference) {
      const slot = labels.slotOf(step, cohort)
      for (const [outcome, count] of Object.entries({ same, different, failed }))
        if (count > 0) rows.inc({ ...slot, outcome }, count)
      setDifference(step, cohort, maxDifference)
    },
    shadowDropped: (step, cohort, count, reason) => dropped.inc({ ...labels.slotOf(step, cohort), reason }, count),
    shadowUnwritten: (step, cohort, count) => unwritten.inc(labels.slotOf(step, cohort), count),
  }
}
