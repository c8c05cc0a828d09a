/**
 * How the models of a step change while it runs.
 *
 * W1. A model serves only after it was loaded, held against the signature and warmed up in lanes of its own (I4): what fails
 *     there is seen by nobody else.
 * W2. The switch is one synchronous act for all lanes of the step: the batches formed before it have the old model, those formed
 *     after it the new one (I3).
 * W3. Where models are loaded on demand, one that was in use is served by its spare lane at once, until a lane of the step has
 *     loaded it for rows that wait; one that was not is only loaded when its rows come. Spare lanes are as many as lanes at most,
 *     and end after SPARE_STAYS_MS without a batch.
 * W4. A candidate has lanes of its own. When it is promoted they become those of the stable model; when it is dropped, the rows
 *     that wait for it go to the stable model.
 * W5. A candidate that is aside has lanes that are none of the executor's: it takes no turn from any batch (lane-turns.ts), and nobody
 *     ends the process for it when it hangs.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Lane, LoadedModel, ModelSpec, Signature } from './executor.ts'
import {
  loadInSpares,
  PreparationFailure,
  type PreparationParts,
  type SpareCopy,
  type SwapOutcome,
} from './model-preparation.ts'
import type { ModelVersion } from './model-version.ts'
import type { ChangingModels, PreparedModel, PrepareOptions } from './prepared-model.ts'
import type { StepLanes } from './step-lanes.ts'

export const SPARE_STAYS_MS = 60_000

export interface ModelSwapsParts extends PreparationParts {
  /** Cohorts of the handler. */
  readonly cohorts: number
  readonly isOnDemand: boolean
  readonly lanes: StepLanes
  /** `count`: the models that the lane holds now. */
  readonly onLoaded: (cohort: number, lane: Lane, model: LoadedModel, count: number) => void
  /** Another version serves these cohorts. */
  readonly onSwitched: (cohorts: readonly number[]) => void
  readonly onEnded: (cohort: number, outcome: SwapOutcome, ms: number) => void
}

export class ModelSwaps implements ChangingModels {
  readonly #parts: ModelSwapsParts
  /** Versions whose spare lane serves for a while, the oldest first, and what ends that. */
  readonly #helped = new Map<ModelVersion, () => void>()

  constructor(parts: ModelSwapsParts) {
    this.#parts = parts
  }

  async prepare(cohort: number, spec: ModelSpec, expected: Signature, options: PrepareOptions): Promise<PreparedModel> {
    const { clock, isOnDemand } = this.#parts
    const stable = this.#stableOf(cohort)
    const startedAtMs = clock.now()
    const ended = (outcome: SwapOutcome) => this.#parts.onEnded(cohort, outcome, clock.now() - startedAtMs)
    const likes = isOnDemand ? [stable.lanes[this.#helped.size % stable.lanes.length]!] : stable.lanes
    try {
      const copies = await loadInSpares(likes, spec, isOnDemand ? undefined : expected, options, this.#parts)
      return this.#prepared(cohort, spec, copies, options.isAside === true, ended)
    } catch (error) {
      if (!(error instanceof PreparationFailure)) throw error
      ended(error.outcome)
      throw error.error
    }
  }

  hasCandidate(cohort: number): boolean {
    return this.candidateOf(cohort) !== undefined
  }

  candidateOf(cohort: number): ModelVersion | undefined {
    const { lanes } = this.#parts
    const candidate = lanes.versionOf(this.#cohortOfCandidate(cohort))
    return candidate === lanes.versionOf(cohort) ? undefined : candidate
  }

  candidateLanes(cohort: number): readonly Lane[] {
    return this.candidateOf(cohort)?.lanes ?? []
  }

  admit(cohort: number): void {
    const candidate = this.candidateOf(cohort)
    if (candidate) this.#parts.lanes.admit(candidate)
  }

  promote(cohort: number): void {
    const { lanes, step, isOnDemand } = this.#parts
    const candidate = this.candidateOf(cohort)
    if (!candidate) throw new RunInferenceError('BUG', `step ${step} has no candidate ${cohort}`)
    const stable = lanes.versionOf(cohort)!
    lanes.admit(candidate)
    candidate.cohort = cohort
    if (isOnDemand) {
      candidate.spare = candidate.lanes[0]
      candidate.lanes = stable.lanes
      this.#help(candidate)
    }
    this.#switch(candidate, cohort)
  }

  dropCandidate(cohort: number): void {
    if (!this.hasCandidate(cohort)) return
    this.#switch(this.#parts.lanes.versionOf(cohort)!, this.#cohortOfCandidate(cohort))
  }

  specOf(cohort: number): ModelSpec | undefined {
    const isCandidate = cohort >= this.#parts.cohorts
    if (isCandidate && !this.hasCandidate(cohort - this.#parts.cohorts)) return undefined
    return this.#parts.lanes.versionOf(cohort)?.spec
  }

  /** A lane of the step has loaded this version. */
  hasLoaded(version: ModelVersion): void {
    if (version.spare !== undefined) this.#endHelp(version)
  }

  close(): void {
    for (const cancel of this.#helped.values()) cancel()
    this.#helped.clear()
  }

  #prepared(
    cohort: number,
    spec: ModelSpec,
    copies: readonly SpareCopy[],
    isAside: boolean,
    ended: (outcome: SwapOutcome) => void,
  ): PreparedModel {
    const { shared, step } = this.#parts
    const [{ model }] = copies as readonly [SpareCopy]
    const { modelId, sha256, sizeBytes } = model.loaded
    let isOver = false
    const once = (outcome: SwapOutcome, act: () => void) => {
      if (isOver)
        throw new RunInferenceError('BUG', `${modelId}, prepared for step ${step}, was served or discarded before`)
      isOver = true
      act()
      ended(outcome)
    }
    const discard = () => {
      for (const { lane } of copies) shared.retire(lane)
    }
    return {
      ...{ modelId, sha256, sizeBytes },
      loadMs: Math.max(...copies.map(({ model }) => model.loaded.loadMs)),
      serve: () => once('served', () => this.#serve(cohort, spec, copies, isAside)),
      discard: () => once('discarded', discard),
    }
  }

  #serve(cohort: number, spec: ModelSpec, copies: readonly SpareCopy[], isAside: boolean): void {
    const { lanes, cohorts, isOnDemand, shared } = this.#parts
    const spares = copies.map(({ lane }) => lane)
    const old = lanes.versionOf(cohort)
    const { copies: most, lanes: regular } = this.#stableOf(cohort)
    const isHelped = isOnDemand && cohort < cohorts
    const version: ModelVersion = {
      ...{ cohort, spec, isAside, isReplaced: false, spare: undefined, spareUses: 0 },
      copies: most,
      lanes: isHelped ? regular : spares,
    }
    if (isHelped && !lanes.isHeld(old!)) for (const lane of spares) shared.retire(lane)
    else {
      if (isHelped) version.spare = spares[0]
      for (const { lane, model } of copies) {
        const count = lanes.join(lane, version, model)
        this.#parts.onLoaded(cohort, lane, model.loaded, count)
      }
      if (isHelped) this.#help(version)
    }
    this.#switch(version, cohort)
  }

  /** Also for cohorts that the old version serves beside its own: candidates of the past. */
  #switch(version: ModelVersion, cohort: number): void {
    const { lanes, onSwitched } = this.#parts
    const old = lanes.versionOf(cohort)
    const cohorts = old && cohort < this.#parts.cohorts ? lanes.cohortsOf(old) : [cohort]
    if (old?.spare !== undefined && old !== version) this.#endHelp(old)
    lanes.serve(version, ...cohorts)
    onSwitched(cohorts)
  }

  #help(version: ModelVersion): void {
    const { clock } = this.#parts
    this.#helped.set(
      version,
      watchUse(clock, version, () => this.#endHelp(version)),
    )
    if (this.#helped.size <= version.lanes.length) return
    const [oldest] = this.#helped.keys()
    this.#endHelp(oldest!)
  }

  #endHelp(version: ModelVersion): void {
    this.#helped.get(version)?.()
    this.#helped.delete(version)
    this.#parts.lanes.dropSpare(version)
  }

  #stableOf(cohort: number): ModelVersion {
    return this.#parts.lanes.versionOf(cohort % this.#parts.cohorts)!
  }

  #cohortOfCandidate(cohort: number): number {
    return cohort + this.#parts.cohorts
  }
}

/** Ends the help of a spare lane that had no batch for a while; the returned function ends the watch. */
function watchUse(clock: Clock, version: ModelVersion, end: () => void): () => void {
  let seen = version.spareUses
  let cancel = clock.after(SPARE_STAYS_MS, look)
  function look(): void {
    if (seen === version.spareUses) end()
    else {
      seen = version.spareUses
      cancel = clock.after(SPARE_STAYS_MS, look)
    }
  }
  return () => cancel()
}
