import type { StepTrials } from '../refresh/step-trials.ts'
import type { AdaptiveSize } from './adaptive.ts'
import type { BatchSizes } from './batch-sizes.ts'
import type { StepInput } from './step-input.ts'
import type { TrialWatches } from './trial-watches.ts'

export interface TrialParts {
  /** Models of the handler. */
  readonly cohorts: number
  readonly input: Pick<StepInput, 'setSplit'>
  readonly sizes: Pick<BatchSizes, 'renew'>
  readonly watches: TrialWatches
  /** Of a model that nothing is known of yet; undefined where sizes do not adapt. */
  readonly newAdaptive: () => AdaptiveSize | undefined
}

/** Trials of one step, as its parts see them. */
export function stepTrials({ cohorts, input, sizes, watches, newAdaptive }: TrialParts): StepTrials {
  const running = new Set<number>()
  return {
    setSplit(cohort, split) {
      // What was learnt of the candidate before says nothing of this one.
      if (split && !running.has(cohort)) sizes.renew(cohort + cohorts, newAdaptive())
      if (split) running.add(cohort)
      else running.delete(cohort)
      input.setSplit(cohort, split)
    },
    setWatch: (cohort, watch) => watches.set(cohort, cohort + cohorts, watch),
    setShadow() {},
  }
}
