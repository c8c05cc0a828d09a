import type { RunInferenceError } from '../errors.ts'
import type { TrialWatch } from '../refresh/step-trials.ts'
import type { BatchTap } from './batch-tap.ts'

interface Watched {
  readonly watch: TrialWatch
  readonly side: 'stable' | 'candidate'
}

/** Who watches the trials of a step: nobody most of the time, and then nothing is looked up. */
export class TrialWatches {
  /** By cohort, those of candidates too. */
  readonly #watched = new Map<number, Watched>()
  /** Sees every batch that has run. */
  tap: BatchTap | undefined

  /** `undefined`: nobody does any more. */
  set(cohort: number, candidateCohort: number, watch: TrialWatch | undefined): void {
    if (watch) {
      this.#watched.set(cohort, { watch, side: 'stable' })
      this.#watched.set(candidateCohort, { watch, side: 'candidate' })
    } else {
      this.#watched.delete(cohort)
      this.#watched.delete(candidateCohort)
    }
  }

  /** A call gave results. */
  ran(cohort: number, rows: number, callMs: number): void {
    if (this.#watched.size === 0) return
    const { watch, side } = this.#watched.get(cohort) ?? {}
    watch?.ran(side!, rows, callMs)
  }

  /** Rows have failed for good. */
  failed(cohort: number, rows: number): void {
    if (this.#watched.size === 0) return
    const { watch, side } = this.#watched.get(cohort) ?? {}
    watch?.failed(side!, rows)
  }

  /** True for a candidate whose trial has a rule. */
  isJudged(cohort: number): boolean {
    if (this.#watched.size === 0) return false
    const { watch, side } = this.#watched.get(cohort) ?? {}
    return side === 'candidate' && watch!.judges
  }

  /** A candidate, or a function behind it, has thrown what would end the application. Nobody is told of one whose trial is over. */
  threw(cohort: number, error: RunInferenceError): void {
    const { watch, side } = this.#watched.get(cohort) ?? {}
    if (side === 'candidate') watch!.threw(error)
  }

  /** A batch met an outage, and its rows were put back. True: it was one of the candidate, which somebody takes care of. */
  lost(cohort: number, error: RunInferenceError): boolean {
    const { watch, side } = this.#watched.get(cohort) ?? {}
    if (side !== 'candidate' || error.code === 'MODEL_TRANSIENT') return false
    watch!.lost(error)
    return true
  }
}
