/**
 * The model on trial in one slot of one instance.
 *
 * T1. It has rows only while it is loaded, warm, and what the newest record names; before and after that all rows are the stable
 *     model's. What fails, hangs or is lost of it changes nothing else.
 * T2. A record that changes its share, or makes a canary of a shadow, keeps it loaded; one with another model ends it before that one is
 *     loaded. So does one that makes a shadow of a canary, whose lanes have batches that others wait for.
 * T3. When it becomes the stable model, its lanes do: nothing is loaded.
 * T4. Where a rule says so it is judged, anew with each record. When it is given up it has no more rows here, at once, and then
 *     the trial is ended for all.
 * T5. A canary that is stuck in native code of a thread takes the instance with it (lane-watch.ts), rule or not. Its trial is ended for
 *     all before: else whoever starts next would load it again, and end in the same way.
 * T6. What would end the application ends the trial instead, rule or not, where a canary has brought it about.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { lookEverySecond } from '../ops/steady-looks.ts'
import type { LiveModelMetrics, SlotModels } from './live-models.ts'
import { LiveSlot, type PreparedVersion } from './live-slot.ts'
import { RolloutJudge, type Verdict } from './rollout-judge.ts'
import type { Side } from './rollout-tally.ts'
import { trialTarget } from './slot-target.ts'
import { Split } from './split.ts'
import type { ModelStatus } from './status-record.ts'
import { type Candidate, isSameModel, type ModelMetadata, type StepModels } from './step-models.ts'
import type { TrialWatch } from './step-trials.ts'

/** Of the message of an error that ends a trial. */
const SHOWN_CHARS = 500

/** A candidate, and the record that put it on trial. */
export interface Trial {
  readonly slot: string
  readonly revision: number
  readonly candidate: Candidate
}

export interface LiveTrialParts {
  readonly models: SlotModels
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: LiveModelMetrics
  /** Over which time the two are compared. */
  readonly windowMs: number
  /** How long one call into native code may take. */
  readonly stuckMs: number
  /** Ends the trial for all instances, whatever that takes; gives up with the signal. */
  readonly abort: (trial: Trial, reason: string, signal: AbortSignal) => void
  readonly onChange: () => void
  readonly onOutage: (error: RunInferenceError) => void
  readonly onRecovered: () => void
}

export class LiveTrial {
  readonly #parts: LiveTrialParts
  readonly #slot: LiveSlot
  #trial: Trial | undefined
  /** Why a shadow scores nothing now. */
  #shadowProblem: string | undefined
  #isClosed = false
  #endLooks = () => {}
  /** Ends what is done about a verdict. */
  #judged = new AbortController()

  constructor(parts: LiveTrialParts) {
    this.#parts = parts
    const { clock, random, models, onChange, onOutage, onRecovered } = parts
    this.#slot = new LiveSlot({
      ...{ clock, random, onChange, onOutage, onRecovered, hasOwn: models.hasOwn },
      prepare: async (model, signal) => this.#beginning(await models.prepareCandidate(model, signal)),
      onFailed: (model, error) => this.#failed(model, error),
      onHopeless() {},
    })
  }

  /** True when nothing is on its way: it has rows, has failed, waits for an outage to end, or there is no trial. */
  get isSettled(): boolean {
    const { state, reason } = this.#slot.status()
    return this.#trial === undefined || state !== 'loading' || reason !== undefined
  }

  /** The newest record of the slot; the stable model has had it before (T3). */
  update(state: StepModels | undefined, metadataOffset: number): void {
    this.#judged.abort()
    this.#judged = new AbortController()
    const { candidate } = state ?? {}
    const { serving } = this.#slot
    const isSame = serving !== undefined && candidate !== undefined && isSameModel(serving, candidate.model)
    const isKept = isSame && !(this.#trial?.candidate.mode === 'canary' && candidate.mode === 'shadow')
    if (serving && !isKept) this.#drop()
    if (!isKept) this.#slot.end()
    this.#trial = undefined
    if (!state || !candidate) return
    this.#trial = { slot: this.#parts.models.slot.text, revision: state.revision, candidate }
    if (isKept) this.#begin()
    this.#slot.update(trialTarget(candidate, state, metadataOffset))
  }

  /** Undefined where there is no trial. */
  status(): ModelStatus | undefined {
    const status = this.#slot.status()
    const reason = status.reason ?? this.#shadowProblem
    return this.#trial && (reason === undefined ? status : { ...status, reason })
  }

  /** The candidate, if this is it, and it is loaded: to become the stable model. */
  loaded(model: ModelMetadata): PreparedVersion | undefined {
    const { serving } = this.#slot
    if (!serving || !isSameModel(serving, model)) return undefined
    const { modelId, sha256 } = this.#slot.status()
    return {
      modelId: modelId!,
      ...(sha256 === undefined ? {} : { sha256 }),
      serve: () => {
        this.#takeBack()
        this.#slot.end()
        return this.#parts.models.promote(model, modelId!)
      },
      discard() {},
    }
  }

  /** Nothing is loaded any more, also of what is lost from now on; what serves is left alone. */
  close(): void {
    this.#isClosed = true
    this.#endLooks()
    this.#judged.abort()
    this.#slot.close()
  }

  #beginning(prepared: PreparedVersion): PreparedVersion {
    return {
      ...prepared,
      serve: () => {
        const positions = prepared.serve()
        if (positions !== undefined) this.#begin(prepared.modelId)
        return positions
      },
    }
  }

  /** The candidate has its share from now on. */
  #begin(modelId = this.#slot.status().modelId!): void {
    const { models, metrics, logger, onChange } = this.#parts
    const { cohort, step, text } = models.slot
    const { candidate, revision } = this.#trial!
    const { mode, percent } = candidate
    const trials = models.trials!
    const { candidateCohort } = models
    const isCanary = mode === 'canary'
    trials.setSplit(cohort, isCanary ? new Split(candidate) : undefined)
    trials.setWatch(cohort, this.#watch())
    this.#endLooks()
    this.#endLooks = isCanary ? this.#lookForStuck() : () => {}
    const onProblem = (reason: string | undefined) => {
      this.#shadowProblem = reason
      onChange()
    }
    // Of the shadow that this was, or of other rows.
    this.#shadowProblem = undefined
    trials.setShadow(cohort, isCanary ? undefined : { candidateCohort, modelId, revision, candidate, onProblem })
    metrics.modelTrial(step, cohort, percent)
    logger.info({ slot: text, modelId, mode, percent, revision }, 'this model is on trial from now on')
  }

  /** All rows are the stable model's again. */
  #takeBack(): void {
    this.#endLooks()
    const { models, metrics } = this.#parts
    const { cohort, step } = models.slot
    const trials = models.trials!
    trials.setSplit(cohort, undefined)
    trials.setWatch(cohort, undefined)
    trials.setShadow(cohort, undefined)
    this.#shadowProblem = undefined
    metrics.modelTrial(step, cohort, 0)
  }

  #drop(): void {
    const { models, logger } = this.#parts
    const { modelId } = this.#slot.status()
    this.#takeBack()
    models.dropCandidate()
    logger.info({ slot: models.slot.text, modelId }, 'this model is no longer on trial here')
  }

  #watch(): TrialWatch {
    const { clock, windowMs } = this.#parts
    const rule = this.#trial!.candidate.abortIf
    const judge = rule && new RolloutJudge({ rule, windowMs, clock })
    const look = (side: Side) => {
      const verdict = side === 'candidate' ? judge!.verdict() : undefined
      if (verdict) this.#giveUp(verdict)
    }
    return {
      judges: judge !== undefined,
      ran(side, rows, callMs) {
        judge?.ran(side, rows, callMs)
        if (judge) look(side)
      },
      failed(side, records) {
        judge?.failed(side, records)
        if (judge) look(side)
      },
      threw: ({ message }) => {
        const { metrics, models } = this.#parts
        const reason = message.length <= SHOWN_CHARS ? message : `${message.slice(0, SHOWN_CHARS - 1)}…`
        metrics.modelTrialGivenUp(models.slot.step, models.slot.cohort, 'error')
        this.#endForAll(`given up before it ends the application: ${reason}`, reason)
      },
      lost: error => {
        this.#drop()
        if (!this.#isClosed) this.#slot.lost(error)
      },
    }
  }

  #giveUp({ about, reason }: Verdict): void {
    const { metrics, models } = this.#parts
    const { cohort, step } = models.slot
    metrics.modelTrialGivenUp(step, cohort, about)
    this.#endForAll(`given up by the rule of its trial: ${reason}`, reason)
  }

  #lookForStuck(): () => void {
    const { clock, models, stuckMs } = this.#parts
    return lookEverySecond(clock, () => {
      const busyMs = Math.round(models.candidateBusyMs())
      if (busyMs <= stuckMs) return false
      const reason = `a call of the candidate has been inside native code for ${busyMs} ms, and stuckMs is ${stuckMs}`
      this.#endForAll(`given up before it ends this instance: ${reason}`, reason)
      return true
    })
  }

  /** `told`: in the status of this instance. */
  #endForAll(told: string, reason: string): void {
    const trial = this.#trial!
    this.#drop()
    this.#slot.gaveUp(new RunInferenceError('MODEL_UNUSABLE', told))
    this.#parts.abort(trial, reason, this.#judged.signal)
  }

  #failed({ modelId }: ModelMetadata, { code, message }: RunInferenceError): void {
    const { metrics, models, logger } = this.#parts
    const { step, text } = models.slot
    metrics.modelRefreshFailed(step, models.candidateCohort, code)
    const facts = { slot: text, modelId, code, reason: message }
    logger.error(
      facts,
      'a model on trial cannot be used here: the stable one has all records, until something else is published',
    )
  }
}
