import type { Lane, ModelSpec, Signature } from './executor.ts'

/** What an executor can do beside running its lanes: lanes come, and go (`Executor` extends it). */
export interface SpareLanes {
  /**
   * A new lane of the same kind as `like`, with a worker of its own, which starts with its first load. It is in `lanes` after
   * `enlist`, and has the seat of `like`: lanes of one seat never run batches at the same time.
   */
  spare(like: Lane): Lane
  /** Puts a spare lane among `lanes`: from now on it is given batches, and is watched. */
  enlist(spare: Lane): void
  /**
   * Takes a lane out of `lanes` and ends its worker when its running call has ended; a process that takes too long over it is
   * killed. Its models must have been unloaded, or be of no use any more. A thread that hangs in native code stays in `leaving`.
   */
  retire(lane: Lane): void
  /** Retired lanes whose worker has not ended yet. */
  readonly leaving: readonly Lane[]
}

export interface PrepareOptions {
  /** How long loads, warm-ups and all may take together; then they are given up, MODEL_UNUSABLE. */
  readonly timeoutMs: number
  /** Gives up, CLOSED. */
  readonly signal?: AbortSignal
  /**
   * Of a candidate: its lanes stay outside of `Executor.lanes` until `admit` or `promote`. So no batch waits for it, and the process
   * does not end when it hangs.
   */
  readonly isAside?: boolean
}

/** A model that is loaded and warm in spare lanes, and serves nothing yet. One of `serve` and `discard` ends it, once. */
export interface PreparedModel {
  /** What its results will be labelled with. */
  readonly modelId: string
  /** What was loaded, hexadecimal; '' for handlers that users wrote. */
  readonly sha256: string
  readonly sizeBytes: number
  /** The longest load of a lane, warm-up included. */
  readonly loadMs: number
  /**
   * Takes over at once: batches that are formed from now on run on it. Those that have begun end on the model that they began on,
   * retries and searches too; then the old copies are unloaded, and their lanes end where nothing else is in them.
   */
  serve(): void
  /** Unloads, and ends the spare lanes. */
  discard(): void
}

/** By step: its models, and the signatures that the graph was compiled with, by cohort of the handler. */
export type ChangingSteps = ReadonlyMap<
  string,
  { readonly models: ChangingModels; readonly signatures: readonly Signature[] }
>

/** How the models of a step change while it runs (`ModelSet` implements it). `cohort`: of the handler, 0 to cohorts − 1. */
export interface ChangingModels {
  /**
   * Loads and warms a model in spare lanes: as many as the stable one has lanes, one where models are loaded on demand. The lanes
   * that serve are not touched. For the candidate of cohort c: cohort c + the number of cohorts.
   *
   * `expected`: the signature that the graph was compiled with (`OpenedGraph.signatures`).
   *
   * Rejects MODEL_UNUSABLE (file, signature, warm-up, timeoutMs), LANE_LOST (the spare worker ended), CLOSED (`signal`, or the
   * executor is being closed); nothing is left behind then, but a thread that hangs in native code (`Executor.leaving`).
   */
  prepare(cohort: number, spec: ModelSpec, expected: Signature, options: PrepareOptions): Promise<PreparedModel>
  /** True while a candidate of this cohort serves. */
  hasCandidate(cohort: number): boolean
  /** The lanes of the candidate are given batches from now on. */
  admit(cohort: number): void
  /** Makes the lanes of the candidate the stable ones, without a load. Throws BUG where there is no candidate. */
  promote(cohort: number): void
  /** Where the candidate of this cohort is loaded; none where there is no candidate. */
  candidateLanes(cohort: number): readonly Lane[]
  /** Rows of the candidate go to the stable model again; its lanes drain and end. Without a candidate: nothing. */
  dropCandidate(cohort: number): void
  /** The spec that serves now, by cohort; of a candidate too. Undefined: there is no such candidate. */
  specOf(cohort: number): ModelSpec | undefined
}
