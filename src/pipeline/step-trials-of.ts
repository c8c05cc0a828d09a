import type { ChangingModels } from '../models/prepared-model.ts'
import type { StepShadows } from '../refresh/step-shadows.ts'
import type { StepTrials } from '../refresh/step-trials.ts'
import type { AdaptiveSize } from './adaptive.ts'
import type { BatchSizes } from './batch-sizes.ts'
import type { StepInput } from './step-input.ts'
import type { TrialWatches } from './trial-watches.ts'

export interface TrialParts {
  /** Models of the handler. */
  readonly cohorts: number
  readonly models: Pick<ChangingModels, 'admit'>
  readonly input: Pick<StepInput, 'setSplit'>
  readonly sizes: Pick<BatchSizes, 'renew'>
  readonly watches: TrialWatches
  /** Of a model that nothing is known of yet; undefined where sizes do not adapt. */
  readonly newAdaptive: () => AdaptiveSize | undefined
  readonly shadows: Pick<StepShadows, 'set'>
}

/** Trials of one step, as its parts see them. */
export function stepTrials(parts: TrialParts): StepTrials {
  const { cohorts, models, input, sizes, watches, newAdaptive, shadows } = parts
  const running = new Set<number>()
  return {
    setSplit(cohort, split) {
      // What was learnt of the candidate before says nothing of this one.
      if (split && !running.has(cohort)) sizes.renew(cohort + cohorts, newAdaptive())
      if (split) running.add(cohort)
      else running.delete(cohort)
      // Records will wait for it.
      if (split) models.admit(cohort)
      input.setSplit(cohort, split)
    },
    setWatch: (cohort, watch) => watches.set(cohort, cohort + cohorts, watch),
    setShadow: (cohort, shadow) => shadows.set(cohort, shadow),
  }
}
