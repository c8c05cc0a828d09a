/**
 * One step at work: batches go to a lane, and results come back. What fails goes to `batch-recovery.ts`.
 *
 * N1. Every row of a dispatched batch is delivered, dead-lettered, put back, or kept for its next try (I1).
 * N3. The slot is released on every path, and only when nothing reads its views any more.
 * N6. Rows whose model no lane can load are dead letters, those that wait and those that come; the others do not wait for them.
 * N7. Where each key has a model, an outage of one rests that model alone. The breaker of the step, which stops all of them, is
 *     only told when all its lanes are in trouble.
 */
import { RunInferenceError } from '../errors.ts'
import type { BatchOutputs, BatchSlot, Lane } from '../models/executor.ts'
import type { ModelSet } from '../models/model-set.ts'
import { isItsOwn, type ModelSlot, type ModelVersion } from '../models/model-version.ts'
import type { TensorData } from '../models/tensors.ts'
import { BatchRecovery, codeOf, type RecoveryOptions } from './batch-recovery.ts'
import { batchWaits } from './batch-waits.ts'
import type { Batcher, LanePlace } from './batcher.ts'
import { bytesOfRows, fillInputs } from './fill-slot.ts'
import type { StepMeters } from './flood-guard.ts'
import { hasWorkFor, nextOnDemand } from './next-on-demand.ts'
import { type Batch, type CloseReason, cohortOf, type RunSegment, rangeOf } from './row-run.ts'
import type { StepInput } from './step-input.ts'
import type { StepOutput } from './step-output.ts'
import type { WorkBlock } from './work-block.ts'

export interface InferenceStepOptions extends RecoveryOptions {
  readonly input: StepInput
  readonly output: StepOutput
  readonly batcher: Batcher
  readonly models: ModelSet
  readonly meters: StepMeters
  readonly note: (what: string) => void
  /** A place of a lane has become free. */
  readonly onReleased: () => void
  /** Rows of these blocks may have become done. */
  readonly onProgress: (works: ReadonlySet<WorkBlock>) => void
}

export class InferenceStep {
  readonly step: string
  readonly #options: InferenceStepOptions
  readonly #recovery: BatchRecovery
  #isDraining = false

  constructor(options: InferenceStepOptions) {
    this.#options = options
    this.step = options.step
    this.#recovery = new BatchRecovery(options)
  }

  /** Queues what was staged since the last call; true when there was something. */
  collect(): boolean {
    const { batcher, input, meters, models } = this.#options
    const runs = input.takeRuns()
    for (const run of runs) {
      // To the functions before the model, what it brought was one element.
      const elements = run.broughtBy === undefined ? run.count : 1
      meters.preprocess?.passed(run.work, elements, elements)
      const refusal = models.refusalOf(run.cohort)
      if (refusal) this.#refuse([{ run, from: 0, to: run.count }], refusal)
      else batcher.add(run)
    }
    this.#forgetOutages()
    return runs.length > 0
  }

  /**
   * The next batch for a place of a lane: one that is to be tried again before any new one. Nothing, also when the lane loads a
   * model instead. The lane shares what waits with those of `idle` from `first` on.
   */
  take(lane: Lane, place: LanePlace, idle: readonly Lane[], first: number, nowMs: number): Batch | undefined {
    const { batcher, models, retries } = this.#options
    const next = models.differ
      ? nextOnDemand({ batcher, models, retries }, lane, place, nowMs)
      : (retries.take(nowMs) ?? batcher.choose(place, nowMs))
    if (next === undefined || 'segments' in next) return next
    if (!next.mustLoad) return batcher.close(next, this.#sharing(idle, first, next.cohort))
    models.load(lane, next.cohort)
    return undefined
  }

  /** No lane can load the model of this cohort: its rows that wait are dead letters (N6). */
  refuse(cohort: number, reason: RunInferenceError): void {
    const { batcher, retries } = this.#options
    const kept = retries.takeAll(cohort).flatMap(({ segments }) => segments)
    this.#refuse([...kept, ...batcher.takeAll(cohort)], reason)
    this.#options.models.letGo()
  }

  /** True when there is a batch for an idle place of this lane; asked where lanes take turns. */
  wants(lane: Lane, nowMs: number): boolean {
    const { batcher, models, retries } = this.#options
    return hasWorkFor({ batcher, models, retries }, lane, nowMs)
  }

  /** Another model serves this cohort, from the next batch on. */
  modelSwitched(cohort: number): void {
    this.collect()
    this.#recovery.switched(cohort)
  }

  /** True while a batch waits for its next try that began on this version of its model. */
  waitsFor(version: ModelVersion): boolean {
    return this.#options.retries.waitsFor(version)
  }

  /** Takes back a batch for which there was no slot. */
  putBack(batch: Batch): void {
    const { batcher, retries, now } = this.#options
    if (batch.retries === undefined) batcher.putBack(batch.segments)
    else retries.putBack(batch, now())
  }

  /** Rows that are in no lane now. */
  get queuedRows(): number {
    return this.#options.batcher.queuedRows + this.#options.retries.rows
  }

  /** How long the oldest of the rows that wait for a batch has waited; 0 where none does. */
  waitedMs(nowMs: number): number {
    const { firstArrivedAtMs } = this.#options.batcher
    return firstArrivedAtMs === undefined ? 0 : nowMs - firstArrivedAtMs
  }

  /** When there is something more for a lane, that is held back now, in clock milliseconds. */
  deadlineMs(nowMs: number): number | undefined {
    const deadlines = [this.#options.batcher.deadlineMs(nowMs), this.#options.retries.deadlineMs(nowMs)]
    return deadlines.reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a))
  }

  /** Forgets the rows of lost partitions. */
  dropLost(): void {
    this.#options.batcher.dropLost()
    this.#options.retries.dropLost()
    this.#options.models.letGo()
  }

  /** Nothing is held back while set; see `Batcher.flushing`. */
  set flushing(reason: CloseReason | undefined) {
    const { batcher, retries, now } = this.#options
    const isDraining = reason === 'revoke' || reason === 'shutdown'
    if (isDraining && !this.#isDraining) retries.hurry(now())
    this.#isDraining = isDraining
    batcher.flushing = reason
  }

  /** Lanes that are in trouble are left alone while others are well. */
  canRunOn(lane: Lane): boolean {
    const { models } = this.#options
    if (!models.takesBatches(lane)) return false
    // Models of several keys may be on lanes of several kinds: of each the set knows whether others are well.
    return models.differ || lane.trouble === undefined || this.#healthiest() === lane
  }

  /** A free slot of the lane; undefined when its places are taken. */
  acquire(lane: Lane, batch: Batch): ModelSlot | undefined {
    return this.#options.models.acquire(lane, cohortOf(batch), batch.begunOn)
  }

  /**
   * Runs a batch in this slot. Resolves when every row was delivered, dead-lettered or put back; rejects
   * MODEL_TRANSIENT when the batch waits for its next try, and else with the reason of an outage, after the rows that did not run
   * were put back.
   */
  async run({ slot, model, version, release }: ModelSlot, batch: Batch): Promise<void> {
    const { metrics, models, now, watches, onReleased, onProgress } = this.#options
    const cohort = cohortOf(batch)
    const works = new Set(batch.segments.map(segment => segment.run.work))
    const startedAtMs = now()
    metrics.batchDispatched(this.step, batch.reason, batch.rows, batchWaits(batch, startedAtMs), batch.paddingBytes)
    try {
      let inputs: readonly TensorData[]
      try {
        inputs = fillInputs(slot, batch)
      } catch (error) {
        if (codeOf(error) !== 'DEVICE_MEMORY') throw error
        metrics.batchFailed(this.step, cohort)
        return this.#recovery.hasNoRoom(batch, model, error)
      }
      // Apart from what it returns: an error of ours behind the call must not look like one of the model.
      const call = this.#call(slot, cohort, 0, batch.rows)
      const [result, failure] = await call.then(
        outputs => [outputs] as const,
        (error: unknown) => [undefined, error] as const,
      )
      if (result === undefined) {
        metrics.batchFailed(this.step, cohort)
        await this.#recovery.recover({
          ...{ batch, model, version },
          error: failure,
          run: (from, rows) => this.#call(slot, cohort, from, rows),
          good: (from, rows, outputs) => this.#succeeded(batch, version, inputs, from, rows, outputs),
        })
      } else {
        this.#learn(batch, result.computeMs)
        this.#succeeded(batch, version, inputs, 0, batch.rows, result)
      }
    } catch (error) {
      if (!(error instanceof RunInferenceError && error.retriable)) throw error
      // What is no longer served, or on trial, or one of several models, says nothing of the step.
      if (!(version.isReplaced || watches.lost(cohort, error) || models.rest(cohort, error))) throw error
    } finally {
      release()
      if (batch.begunOn) models.letGo()
      metrics.batchEnded(this.step, now() - startedAtMs)
      // The lane goes on before the main thread writes out what is done.
      onReleased()
      onProgress(works)
    }
  }

  /** Known good input: rejects while the lane cannot do its work. */
  async probe(): Promise<void> {
    const { models } = this.#options
    try {
      await models.lastUsedIn(this.#healthiest())?.runControl()
    } catch (error) {
      // The lane has answered, and that is what its other models need.
      if (!models.isOnDemand || codeOf(error) !== 'MODEL_OUTAGE') throw error
    }
  }

  #healthiest(): Lane {
    const { models } = this.#options
    const lanes = [...models.lanes]
    // Those of a candidate say nothing of the others.
    const isOfAll = (lane: Lane) => models.isOnDemand || models.modelIn(lane, 0) !== undefined
    return lanes.find(lane => lane.trouble === undefined && isOfAll(lane)) ?? lanes[0]!
  }

  /** How many of the idle lanes can run rows of this cohort at once. */
  #sharing(idle: readonly Lane[], first: number, cohort: number): number {
    const { models } = this.#options
    let count = 0
    for (let i = first; i < idle.length; i++)
      if (models.modelIn(idle[i]!, cohort) !== undefined && this.canRunOn(idle[i]!)) count++
    return count
  }

  /** Of models whose rows were lost with their partitions: nothing may come that would tell. */
  #forgetOutages(): void {
    const { batcher, models, now, retries } = this.#options
    if (!models.isOnDemand) return
    for (const cohort of models.rested(now()))
      if (!batcher.hasRowsOf(cohort) && !retries.hasRowsOf(cohort)) models.outageOver(cohort)
  }

  #refuse(segments: readonly RunSegment[], reason: RunInferenceError): void {
    this.#recovery.refuse(segments, reason)
    this.#options.onProgress(new Set(segments.map(({ run }) => run.work)))
  }

  #learn(batch: Batch, computeMs: number): void {
    const { metrics, sizes } = this.#options
    const size = sizes.observe(cohortOf(batch), batch, computeMs)
    if (size !== undefined) metrics.batchAdaptive(this.step, size)
  }

  async #call(slot: BatchSlot, cohort: number, from: number, rows: number): Promise<BatchOutputs> {
    const { sizes } = this.#options
    try {
      const outputs = await slot.run(from, rows)
      sizes.fitted(cohort, rows)
      return outputs
    } catch (error) {
      if (codeOf(error) === 'DEVICE_MEMORY') sizes.tooMany(cohort, rows)
      throw error
    }
  }

  #succeeded(
    batch: Batch,
    version: ModelVersion,
    inputs: readonly TensorData[],
    from: number,
    rows: number,
    outputs: BatchOutputs,
  ): void {
    const { failureUnit, meters, metrics, models, spared, watches } = this.#options
    const { cohort, work } = batch.segments[0]!.run
    const units = failureUnit === 'batch' ? 1 : rows
    if (!this.#recovery.isOnTrial(cohort, version)) meters.inference?.passed(work, units, rows)
    meters.postprocess?.passed(work, rows, rows)
    models.outageOver(cohort)
    this.#recovery.worked(cohort)
    const { computeMs, modelId, queueMs } = outputs
    const bytes = outputs.numBytes ?? bytesOfRows(inputs, batch.rows, rows)
    metrics.batchSucceeded(this.step, cohort, rows, bytes, computeMs, queueMs, modelId)
    if (isItsOwn(version, cohort)) watches.ran(cohort, rows, computeMs)
    watches.tap?.ran(batch, inputs, from, rows, outputs)
    let at = 0
    for (const part of rangeOf(batch.segments, from, rows)) {
      const { block } = part.run.work
      const first = block.offset(part.run.work.rowOf(part.run.rows[part.from]!))
      this.#options.note(`results of step ${this.step} for ${block.topic}/${block.partition} from offset ${first}`)
      this.#options.output.deliver(part, outputs, at, spared?.ofResults(version))
      at += part.to - part.from
    }
  }
}
