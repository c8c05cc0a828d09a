/**
 * What a running step is told of the models on trial. The candidate of cohort c is loaded and warm as cohort c + the number of
 * cohorts of the step's `ModelSet` (`candidateCohort`) before either is set, and stays so until after it is taken back.
 */
import type { RunInferenceError } from '../errors.ts'
import type { Side } from './rollout-tally.ts'
import type { Split } from './split.ts'
import type { Candidate } from './step-models.ts'

/** A candidate in mode 'shadow': it scores beside the stable model, and nobody sees its predictions. */
export interface ShadowTrial {
  /** Where its lanes are found: a cohort of the step's `ModelSet`. */
  readonly candidateCohort: number
  /** What its results are labelled with. */
  readonly modelId: string
  /** Of the record that put it on trial. */
  readonly revision: number
  readonly candidate: Candidate
  /** Told why it scores nothing now, or cannot tell what it says; undefined: it does again. */
  readonly onProblem: (reason: string | undefined) => void
}

/** Told by the batch of what the stable model and its candidate do. */
export interface TrialWatch {
  /** It has a rule, and ends the trial when the candidate fails too often. */
  readonly judges: boolean
  /** A call gave results for so many rows, and took so long inside the model. */
  ran(side: Side, rows: number, callMs: number): void
  /** So many rows have failed in inference for good. */
  failed(side: Side, rows: number): void
  /** The candidate has brought about an error that nothing makes a dead letter of (UNHANDLED). */
  threw(error: RunInferenceError): void
  /** The candidate, or its lanes, cannot work now: rows that it had were put back. Nothing waits for it where it is dropped. */
  lost(error: RunInferenceError): void
}

/** One step. `cohort`: of the handler. Each call counts for what comes after it, at once. */
export interface StepTrials {
  /** Which records are the candidate's; undefined: none. */
  setSplit(cohort: number, split: Pick<Split, 'has'> | undefined): void
  /** Who is told how the two do; undefined: nobody. */
  setWatch(cohort: number, watch: TrialWatch | undefined): void
  /** What scores beside the stable model; undefined: nothing. */
  setShadow(cohort: number, shadow: ShadowTrial | undefined): void
}
