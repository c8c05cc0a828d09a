/**
 * One step at work: batches go to a lane, results come back, and what fails is told apart: bad rows (dead letters), or an
 * outage (rows stay queued, the breaker counts, the control batch probes).
 *
 * N1. Every row of a dispatched batch is delivered, dead-lettered, or put back (I1).
 * N2. Only rows that failed alone while the lane is known to work become dead letters (I7, I10).
 * N3. The slot is released on every path, and only when nothing reads its views any more.
 * N4. A batch that does not fit the device blames nobody: its rows come back in smaller batches. A row that does not even fit
 *     alone becomes a dead letter as any bad row does (N2).
 */
import { RunInferenceError } from '../errors.ts'
import type { BatchOutputs, BatchSlot, Lane, LaneModel } from '../models/executor.ts'
import type { TensorData } from '../models/tensors.ts'
import { kv } from '../records.ts'
import type { AdaptiveSize } from './adaptive.ts'
import type { Batcher } from './batcher.ts'
import { bisect } from './bisect.ts'
import type { BatchWaits, PipelineMetrics } from './pipeline-metrics.ts'
import type { RowCeiling } from './row-ceiling.ts'
import type { Batch, RowRun, RunSegment } from './row-run.ts'
import type { FailurePoint } from './stage.ts'
import { NO_KEY, type StepInput } from './step-input.ts'
import type { StepOutput } from './step-output.ts'
import type { WorkBlock } from './work-block.ts'

/** Errors that say nothing about the rows. */
const OUTAGES = new Set(['LANE_LOST', 'MODEL_OUTAGE', 'CLOSED'])
/** Errors that every row of the batch shares: searching for the guilty row would be in vain. */
const WHOLE_BATCH = new Set(['SHAPE_MISMATCH', 'RESULT_COUNT'])
/** Errors for which the number of rows may be to blame, and no row: they ended the worker, or calls that do not fit together. */
const BY_NUMBER = new Set(['TIMEOUT', 'WORKER_LOST', 'SHAPE_MISMATCH'])

export interface InferenceStepOptions {
  readonly step: string
  readonly input: StepInput
  readonly output: StepOutput
  readonly batcher: Batcher
  readonly adaptive: AdaptiveSize | undefined
  readonly ceiling: RowCeiling
  readonly models: ReadonlyMap<Lane, LaneModel>
  readonly failures: FailurePoint
  readonly metrics: PipelineMetrics
  readonly note: (what: string) => void
  readonly now: () => number
  /** A place of a lane has become free. */
  readonly onReleased: () => void
  /** Rows of these blocks may have become done. */
  readonly onProgress: (works: ReadonlySet<WorkBlock>) => void
}

export class InferenceStep {
  readonly batcher: Batcher
  readonly step: string
  readonly #options: InferenceStepOptions

  constructor(options: InferenceStepOptions) {
    this.#options = options
    this.batcher = options.batcher
    this.step = options.step
  }

  /** Queues what was staged since the last call; true when there was something. */
  collect(): boolean {
    const runs = this.#options.input.takeRuns()
    for (const run of runs) this.batcher.add(run)
    return runs.length > 0
  }

  /** Lanes that are in trouble are left alone while others are well. */
  canRunOn(lane: Lane): boolean {
    const { models } = this.#options
    return models.has(lane) && (lane.trouble === undefined || this.#healthiest() === lane)
  }

  /** A free slot of the lane; undefined when its places are taken. */
  acquire(lane: Lane): BatchSlot | undefined {
    return this.#options.models.get(lane)?.acquire()
  }

  /**
   * Runs a batch in a slot of this lane. Resolves when every row was delivered, dead-lettered or put back; rejects with the
   * reason of an outage, after the rows that did not run were put back.
   */
  async run(lane: Lane, slot: BatchSlot, batch: Batch): Promise<void> {
    const { metrics, now, onReleased, onProgress } = this.#options
    const works = new Set(batch.segments.map(segment => segment.run.work))
    const startedAtMs = now()
    metrics.batchDispatched(this.step, batch.reason, batch.rows, waits(batch, startedAtMs), batch.paddingBytes)
    try {
      const inputs = this.#fillSlot(slot, batch)
      if (inputs instanceof Failed) return this.#hasNoRoom(batch, inputs.error)
      const bytesPerRow = byteLength(inputs) / batch.rows
      const result = await this.#call(slot, 0, batch.rows).catch((error: unknown) => new Failed(error))
      if (result instanceof Failed) {
        metrics.batchFailed(this.step, cohortOf(batch))
        await this.#recover(lane, slot, batch, result.error, bytesPerRow)
      } else {
        this.#learn(batch, result.computeMs)
        this.#succeeded(batch, 0, batch.rows, result, bytesPerRow)
      }
    } finally {
      slot.release()
      metrics.batchEnded(this.step, now() - startedAtMs)
      // The lane goes on before the main thread writes out what is done.
      onReleased()
      onProgress(works)
    }
  }

  /** Known good input: rejects while the lane cannot do its work. */
  async probe(): Promise<void> {
    await this.#options.models.get(this.#healthiest())!.runControl()
  }

  #healthiest(): Lane {
    const lanes = [...this.#options.models.keys()]
    return lanes.find(lane => lane.trouble === undefined) ?? lanes[0]!
  }

  #fillSlot(slot: BatchSlot, batch: Batch): readonly TensorData[] | Failed {
    let inputs: readonly TensorData[]
    try {
      inputs = slot.prepare(batch.rows, batch.rowShapes)
    } catch (error) {
      if (codeOf(error) === 'DEVICE_MEMORY') return new Failed(error)
      throw error
    }
    let at = 0
    for (const { run, from, to } of batch.segments) {
      run.fill(from, to - from, inputs, at, batch.paddedLength)
      at += to - from
    }
    return inputs
  }

  /** This process has no memory for the batch, whatever its lane could do (N4). */
  #hasNoRoom(batch: Batch, error: unknown): void {
    this.#options.metrics.batchFailed(this.step, cohortOf(batch))
    this.#options.ceiling.tooMany(batch.rows)
    if (batch.rows > 1) this.#putBack(batch, [{ from: 0, rows: batch.rows }], undefined)
    else this.#failRows(batch, [{ row: 0, error }])
  }

  #learn(batch: Batch, computeMs: number): void {
    const { adaptive, metrics } = this.#options
    if (!adaptive) return
    adaptive.observe(batch, computeMs)
    metrics.batchAdaptive(this.step, adaptive.size)
  }

  async #call(slot: BatchSlot, from: number, rows: number): Promise<BatchOutputs> {
    try {
      const outputs = await slot.run(from, rows)
      this.#options.ceiling.fitted(rows)
      return outputs
    } catch (error) {
      if (codeOf(error) === 'DEVICE_MEMORY') this.#options.ceiling.tooMany(rows)
      throw error
    }
  }

  async #recover(lane: Lane, slot: BatchSlot, batch: Batch, error: unknown, bytesPerRow: number): Promise<void> {
    if (isOutage(error)) return this.#putBack(batch, [{ from: 0, rows: batch.rows }], error)
    if (codeOf(error) === 'DEVICE_MEMORY' && batch.rows > 1)
      return this.#putBack(batch, [{ from: 0, rows: batch.rows }], undefined)
    const model = this.#options.models.get(lane)!
    const control = () => model.runControl()
    // Rows of several calls share no more than the batch: each call may be right by itself.
    const isOneCall = batch.rows <= (model.loaded.fixedRows ?? batch.rows)
    if (isOneCall && WHOLE_BATCH.has(codeOf(error))) {
      try {
        await control()
      } catch (outage) {
        return this.#putBack(batch, [{ from: 0, rows: batch.rows }], outage)
      }
      return this.#failRows(
        batch,
        Array.from({ length: batch.rows }, (_, row) => ({ row, error })),
      )
    }
    const verdict = await bisect(
      batch.rows,
      error,
      {
        run: (from, rows) => this.#call(slot, from, rows),
        control,
        good: (from, rows, outputs: BatchOutputs) => this.#succeeded(batch, from, rows, outputs, bytesPerRow),
      },
      failure => !isOutage(failure),
    )
    // No row is to blame, as far as was searched: without a ceiling each batch to come would fail again.
    const isInnocent = verdict.bad.length === 0 && verdict.outage === undefined
    if (isInnocent && BY_NUMBER.has(codeOf(error))) this.#options.ceiling.tooMany(batch.rows)
    this.#failRows(batch, verdict.bad)
    this.#putBack(batch, verdict.undecided, verdict.outage)
  }

  #succeeded(batch: Batch, from: number, rows: number, outputs: BatchOutputs, bytesPerRow: number): void {
    this.#options.metrics.batchSucceeded(
      this.step,
      cohortOf(batch),
      rows,
      rows * bytesPerRow,
      outputs.computeMs,
      outputs.queueMs,
    )
    let at = 0
    for (const part of slice(batch.segments, from, rows)) {
      const { block } = part.run.work
      const first = block.offset(part.run.work.rowOf(part.run.rows[part.from]!))
      this.#options.note(`results of step ${this.step} for ${block.topic}/${block.partition} from offset ${first}`)
      this.#options.output.deliver(part, outputs, at)
      at += part.to - part.from
    }
  }

  #failRows(batch: Batch, bad: readonly { readonly row: number; readonly error: unknown }[]): void {
    for (const { row, error } of bad) {
      const [part] = slice(batch.segments, row, 1)
      const failure = RunInferenceError.from(error, 'INFERENCE_FAILED')
      const { run, from } = part!
      const { failures } = this.#options
      const value = failures.listeners.length > 0 ? elementOf(run, from) : undefined
      run.work.fail(run.rows[from]!, failures, -1, failure, { modelId: this.#modelId, value })
    }
  }

  /** Rows that did not run go back to the front of the queue; throws the outage, if there is one. */
  #putBack(batch: Batch, ranges: readonly { readonly from: number; readonly rows: number }[], outage: unknown): void {
    const sorted = ranges.toSorted((a, b) => a.from - b.from)
    this.batcher.putBack(sorted.flatMap(({ from, rows }) => slice(batch.segments, from, rows)))
    if (outage !== undefined) throw RunInferenceError.from(outage, 'MODEL_OUTAGE', `step ${this.step}`)
  }

  get #modelId(): string | undefined {
    const [model] = this.#options.models.values()
    return model?.loaded.modelId
  }
}

/** Which model of the step runs the batch: the same for all its rows. */
function cohortOf({ segments }: Batch): number {
  return segments[0]!.run.cohort
}

/** What entered the model, with its key where it has one. */
function elementOf(run: RowRun, i: number): unknown {
  const key = run.keys?.[i]
  return run.keys && key !== NO_KEY ? kv(key, run.example(i)) : run.example(i)
}

/** How long its rows waited: the first one, which waited longest, and all of them together. */
function waits({ segments, firstArrivedAtMs }: Batch, nowMs: number): BatchWaits {
  let allMs = 0
  for (const { run, from, to } of segments) allMs += (to - from) * (nowMs - run.arrivedAtMs)
  return { firstMs: nowMs - firstArrivedAtMs, allMs }
}

/** Rows [from, from + rows) of the batch, as parts of its segments. */
function slice(segments: readonly RunSegment[], from: number, rows: number): RunSegment[] {
  const parts: RunSegment[] = []
  let start = 0
  for (const { run, from: first, to } of segments) {
    const length = to - first
    const low = Math.max(0, from - start)
    const high = Math.min(length, from + rows - start)
    if (low < high) parts.push({ run, from: first + low, to: first + high })
    start += length
  }
  return parts
}

/** A call that failed, apart from what it returns: an error of ours behind the call must not look like one of the model. */
class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

function byteLength(inputs: readonly TensorData[]): number {
  return inputs.reduce((sum, input) => sum + (ArrayBuffer.isView(input) ? input.byteLength : 0), 0)
}

function codeOf(error: unknown): string {
  return error instanceof RunInferenceError ? error.code : ''
}

function isOutage(error: unknown): boolean {
  return OUTAGES.has(codeOf(error))
}
