/**
 * What becomes of a batch whose call failed: its rows are tried again, wait for the end of an outage, or are dead letters.
 *
 * N2. Only rows that failed alone while the lane is known to work become dead letters (I7, I10); rows of a batch that fails as
 *     a whole (failureUnit 'batch', one that a record brought, an error that all rows share) only while the lane is known to work.
 * N4. A batch that does not fit the device blames nobody: its rows come back in smaller batches. A row that does not even fit
 *     alone becomes a dead letter as any bad row does (N2).
 * N5. An error that trying again can mend is no row's: the batch is tried again whole. In a search it ends the search, and each part
 *     that is undecided is tried again as a batch of its own: put together again, they would be searched from the start. When a
 *     batch was tried often enough, the control batch decides: it fails, or there is none = an outage; it passes = the batch is
 *     searched as any other.
 */
import { RunInferenceError } from '../errors.ts'
import type { ExceptionHandling } from '../graph.ts'
import type { BatchOutputs, LaneModel } from '../models/executor.ts'
import type { ModelSet } from '../models/model-set.ts'
import { isItsOwn, type ModelVersion } from '../models/model-version.ts'
import { kv } from '../records.ts'
import type { BatchSizes } from './batch-sizes.ts'
import type { Batcher } from './batcher.ts'
import { bisect } from './bisect.ts'
import { formBatch } from './form-batch.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import type { Retries } from './retries.ts'
import { type Batch, cohortOf, type RowRun, type RunSegment, rangeOf } from './row-run.ts'
import type { SparedRows } from './spared-rows.ts'
import type { FailureFacts, FailurePoint } from './stage.ts'
import { NO_KEY } from './step-input.ts'
import type { StrayRows } from './stray-rows.ts'
import type { TrialWatches } from './trial-watches.ts'

/** Errors that say nothing about the rows. */
const OUTAGES = new Set(['LANE_LOST', 'MODEL_OUTAGE', 'CLOSED'])
/** Errors of tensors, which every row of the batch shares: searching for the guilty row would be in vain. */
const WHOLE_BATCH = new Set(['SHAPE_MISMATCH', 'RESULT_COUNT'])
/** Errors for which the number of rows may be to blame, and no row: they ended the worker, or do not fit together. */
const BY_NUMBER = new Set(['TIMEOUT', 'WORKER_LOST', 'SHAPE_MISMATCH', 'RESULT_TOO_LARGE'])

export interface RecoveryOptions {
  readonly step: string
  readonly failureUnit: NonNullable<ExceptionHandling['failureUnit']>
  readonly batcher: Pick<Batcher, 'putBack' | 'takeAll'>
  readonly models: Pick<ModelSet, 'hasCandidate'>
  readonly strays: StrayRows
  readonly retries: Retries
  readonly sizes: BatchSizes
  readonly failures: FailurePoint
  readonly metrics: PipelineMetrics
  readonly watches: TrialWatches
  /** Undefined: no error ends the application. */
  readonly spared: SparedRows | undefined
  readonly now: () => number
}

/** A batch that failed, and how parts of it can be run again. */
export interface FailedBatch {
  readonly batch: Batch
  readonly model: LaneModel
  readonly version: ModelVersion
  readonly error: unknown
  run(from: number, rows: number): Promise<BatchOutputs>
  /** A range ran; its outputs are valid until the next run. */
  good(from: number, rows: number, outputs: BatchOutputs): void
}

interface Range {
  readonly from: number
  readonly rows: number
}

/** Of the batches that failed as a whole, in this process. */
let lastBatch = 0

export class BatchRecovery {
  readonly #options: RecoveryOptions
  /** By model: rows that were found bad since any row ran (C6). */
  readonly #refused = new Map<number, number>()

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /**
   * Resolves when every row was delivered, dead-lettered or put back. Rejects MODEL_TRANSIENT when the batch waits for its next
   * try, and else with the reason of an outage, after the rows that did not run were put back.
   */
  async recover(failed: FailedBatch): Promise<void> {
    const { model, version, error } = failed
    // What is tried again is tried on the model that it began on, whatever serves by then (I3).
    const batch = { ...failed.batch, begunOn: version }
    const { failureUnit, retries, metrics, step, now } = this.#options
    const code = codeOf(error)
    if (OUTAGES.has(code)) return this.#putBack(batch, [wholeOf(batch)], error)
    if (code === 'DEVICE_MEMORY' && canShrink(batch)) return this.#putBack(batch, [wholeOf(batch)], undefined)
    const isBusy = code === 'MODEL_TRANSIENT'
    if (isBusy && retries.add(batch, now())) {
      metrics.retried('model', step)
      throw error
    }
    if (isBusy && model.loaded.withoutControl === true) return this.#putBack(batch, [wholeOf(batch)], error)
    // Rows of several calls share no more than the batch: each call may be right by itself.
    const isOneCall = batch.rows <= (model.loaded.fixedRows ?? batch.rows)
    // A handler that a user wrote may have left out the result of one example.
    const isOfTensors = model.loaded.inputs[0]?.dtype !== 'value'
    const isWhole = failureUnit === 'batch' || (isOneCall && isOfTensors && WHOLE_BATCH.has(code))
    const isTriedEnough = isBusy || (retries.isSpent(batch) && model.loaded.withoutControl !== true)
    if (!isWhole && !isTriedEnough) return this.#search({ ...failed, batch }, false)
    try {
      await model.runControl()
    } catch (outage) {
      return this.#putBack(batch, [wholeOf(batch)], outage)
    }
    if (!isWhole) return this.#search({ ...failed, batch }, true)
    this.#failRange(batch, model, wholeOf(batch), error, ++lastBatch)
  }

  /**
   * True where results of these rows count for the rule of a trial, and not for the flood guard, which would halt the step for what
   * the rule ends; also where they come when it has. `by`: what ran them, if anything did.
   */
  isOnTrial(cohort: number, by: ModelVersion | undefined): boolean {
    const { strays, watches } = this.#options
    if (!strays.isOfCandidate(cohort)) return false
    return by?.isReplaced === true || (watches.isJudged(cohort) && (by === undefined || by.cohort === cohort))
  }

  /** Rows of this cohort have run. */
  worked(cohort: number): void {
    if (this.#refused.size > 0) this.#refused.delete(cohort)
  }

  /** Another version serves this cohort: what was learnt of the one before says nothing of it. */
  switched(cohort: number): void {
    const { batcher, models, retries, strays } = this.#options
    this.worked(cohort)
    // It is the stable model that has changed, and its candidate keeps its rows.
    if (!strays.isOfCandidate(cohort) && models.hasCandidate(cohort)) return
    const candidate = strays.candidateOf(cohort)
    batcher.putBack(strays.moved(batcher.takeAll(candidate)))
    retries.replaceRows(candidate, segments => strays.moved(segments))
  }

  /** This process has no memory for the batch, whatever its lane could do (N4). */
  hasNoRoom(batch: Batch, model: LaneModel, error: unknown): void {
    this.#options.sizes.tooMany(cohortOf(batch), batch.rows)
    if (canShrink(batch)) this.#putBack(batch, [wholeOf(batch)], undefined)
    else this.#failRange(batch, model, wholeOf(batch), error)
  }

  /** Finds the rows that fail alone; a batch that a record brought is one row to it. `isKnownGood`: the control batch has passed. */
  async #search({ batch, model, error, run, good }: FailedBatch, isKnownGood: boolean): Promise<void> {
    const perUnit = bringerOf(batch) === undefined ? 1 : batch.rows
    const isBadInput = (failure: unknown) =>
      !OUTAGES.has(codeOf(failure)) && (isKnownGood || codeOf(failure) !== 'MODEL_TRANSIENT')
    const verdict = await bisect(
      batch.rows / perUnit,
      error,
      {
        run: (from, units) => run(from * perUnit, units * perUnit),
        control: () => model.runControl(),
        good: (from, units, outputs: BatchOutputs) => good(from * perUnit, units * perUnit, outputs),
      },
      { isBadInput, isKnownGood, refusedBefore: this.#refused.get(cohortOf(batch)) ?? 0 },
    )
    this.#refused.set(cohortOf(batch), verdict.refused)
    // No row is to blame, as far as was searched: without a ceiling each batch to come would fail again.
    const isInnocent = verdict.bad.length === 0 && verdict.outage === undefined
    if (isInnocent && BY_NUMBER.has(codeOf(error))) this.#options.sizes.tooMany(cohortOf(batch), batch.rows)
    for (const { row, error: failure } of verdict.bad)
      this.#failRange(batch, model, { from: row * perUnit, rows: perUnit }, failure)
    const undecided = verdict.undecided.map(({ from, rows }) => ({ from: from * perUnit, rows: rows * perUnit }))
    if (isTransient(verdict.outage) && !this.#options.retries.isSpent(batch)) {
      for (const range of undecided) this.#tryPart(batch, range)
      throw verdict.outage
    }
    this.#putBack(batch, undecided, verdict.outage)
  }

  /** A part of a batch, or all of it, waits for its next try; a smaller batch than the one before has all its tries. */
  #tryPart(batch: Batch, range: Range): void {
    const { retries, metrics, step, now } = this.#options
    const { begunOn } = batch
    const formed = formBatch(rangeOf(batch.segments, range.from, range.rows), batch.reason)
    const part = begunOn ? { ...formed, begunOn } : formed
    retries.add(range.rows < batch.rows ? part : { ...part, retries: batch.retries ?? 0 }, now())
    metrics.retried('model', step)
  }

  /** Each row is a dead letter, or the record that brought them all. `whole`: the number of the batch that failed as one. */
  #failRange(batch: Batch, model: LaneModel, { from, rows }: Range, error: unknown, whole?: number): void {
    const about = {
      modelId: model.loaded.modelId,
      attempt: 1 + (batch.retries ?? 0),
      ...(whole === undefined ? {} : { batch: whole }),
    }
    this.#fail(rangeOf(batch.segments, from, rows), reasonOf(error, batch), about, batch.begunOn)
  }

  /** Rows whose model cannot be loaded. */
  refuse(segments: readonly RunSegment[], reason: RunInferenceError): void {
    this.#fail(segments, reason, {})
  }

  #fail(segments: readonly RunSegment[], reason: RunInferenceError, facts: FailureFacts, by?: ModelVersion): void {
    const { failures, spared, watches } = this.#options
    const isWatched = failures.listeners.length > 0
    for (const { run, from, to } of segments) {
      const about = this.isOnTrial(run.cohort, by) ? { ...facts, isOnTrial: true } : facts
      if (!by || isItsOwn(by, run.cohort)) watches.failed(run.cohort, to - from)
      if (run.broughtBy !== undefined) {
        const value = isWatched ? Array.from({ length: run.count }, (_, i) => elementOf(run, i)) : undefined
        const spare = spared?.ofRows(by, { run, from, to })
        run.work.fail(run.broughtBy, failures, -1, reason, { ...about, value, spare })
        continue
      }
      for (let i = from; i < to; i++) {
        const value = isWatched ? elementOf(run, i) : undefined
        const spare = spared?.ofRows(by, { run, from: i, to: i + 1 })
        run.work.fail(run.rows[i]!, failures, -1, reason, { ...about, value, spare })
      }
    }
  }

  /** Rows that did not run go back to the front of the queue; throws the outage, if there is one. */
  #putBack(batch: Batch, ranges: readonly Range[], outage: unknown): void {
    const { batcher, strays } = this.#options
    const { begunOn } = batch
    const sorted = ranges.toSorted((a, b) => a.from - b.from)
    const segments = sorted.flatMap(({ from, rows }) => rangeOf(batch.segments, from, rows))
    const isLeft = begunOn !== undefined && !isItsOwn(begunOn, cohortOf(batch))
    batcher.putBack(isLeft && strays.isOfCandidate(cohortOf(batch)) ? strays.moved(segments) : segments)
    if (outage === undefined) return
    const context = `step ${this.#options.step}`
    // Here it does not say that the batch waits for its next try.
    if (codeOf(outage) === 'MODEL_TRANSIENT') throw RunInferenceError.wrap(outage, 'MODEL_OUTAGE', context)
    throw RunInferenceError.from(outage, 'MODEL_OUTAGE', context)
  }
}

function wholeOf({ rows }: Batch): Range {
  return { from: 0, rows }
}

/** The element that brought the batch with it. */
function bringerOf({ segments }: Batch): number | undefined {
  return segments[0]!.run.broughtBy
}

function canShrink(batch: Batch): boolean {
  return batch.rows > 1 && bringerOf(batch) === undefined
}

/** What entered the model, with its key where it has one. */
function elementOf(run: RowRun, i: number): unknown {
  const key = run.keys?.[i]
  return run.keys && key !== NO_KEY ? kv(key, run.example(i)) : run.example(i)
}

/** The error of a row; one that trying again did not mend was the row's after all. */
function reasonOf(error: unknown, { retries = 0 }: Batch): RunInferenceError {
  const ours = RunInferenceError.from(error, 'INFERENCE_FAILED')
  return ours.code === 'MODEL_TRANSIENT' ? withMessage(ours, `after ${retries} retries: ${ours.message}`) : ours
}

function withMessage({ cause, errorTypes }: RunInferenceError, message: string): RunInferenceError {
  return new RunInferenceError('INFERENCE_FAILED', message, { cause, errorTypes })
}

/** Also of a control batch, whose failures are outages. */
function isTransient(error: unknown): boolean {
  return codeOf(error) === 'MODEL_TRANSIENT' || (error instanceof RunInferenceError && isTransient(error.cause))
}

export function codeOf(error: unknown): string {
  return error instanceof RunInferenceError ? error.code : ''
}
