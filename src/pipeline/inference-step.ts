/**
 * One step at work: batches go to a lane, and results come back. What fails goes to `batch-recovery.ts`.
 *
 * N1. Every row of a dispatched batch is delivered, dead-lettered, put back, or kept for its next try (I1).
 * N3. The slot is released on every path, and only when nothing reads its views any more.
 */
import type { BatchOutputs, BatchSlot, Lane, LaneModel } from '../models/executor.ts'
import type { TensorData } from '../models/tensors.ts'
import type { AdaptiveSize } from './adaptive.ts'
import { BatchRecovery, codeOf, type RecoveryOptions } from './batch-recovery.ts'
import type { Batcher, LanePlace } from './batcher.ts'
import type { BatchWaits } from './pipeline-metrics.ts'
import { type Batch, type CloseReason, rangeOf } from './row-run.ts'
import type { StepInput } from './step-input.ts'
import type { StepOutput } from './step-output.ts'
import type { WorkBlock } from './work-block.ts'

export interface InferenceStepOptions extends RecoveryOptions {
  readonly input: StepInput
  readonly output: StepOutput
  readonly batcher: Batcher
  readonly adaptive: AdaptiveSize | undefined
  readonly models: ReadonlyMap<Lane, LaneModel>
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
    const runs = this.#options.input.takeRuns()
    for (const run of runs) this.#options.batcher.add(run)
    return runs.length > 0
  }

  /** The next batch for a place of a lane: one that is to be tried again before any new one. See `Batcher.take`. */
  take(place: LanePlace, idleLanes: number, nowMs: number): Batch | undefined {
    const { batcher, retries } = this.#options
    return retries.take(nowMs) ?? batcher.take(place, idleLanes, nowMs)
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

  /** When there is something for a lane that is held back now, in clock milliseconds. */
  deadlineMs(): number | undefined {
    const deadlines = [this.#options.batcher.deadlineMs(), this.#options.retries.deadlineMs()]
    return deadlines.reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a))
  }

  /** Forgets the rows of lost partitions. */
  dropLost(): void {
    this.#options.batcher.dropLost()
    this.#options.retries.dropLost()
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
    return models.has(lane) && (lane.trouble === undefined || this.#healthiest() === lane)
  }

  /** A free slot of the lane; undefined when its places are taken. */
  acquire(lane: Lane): BatchSlot | undefined {
    return this.#options.models.get(lane)?.acquire()
  }

  /**
   * Runs a batch in a slot of this lane. Resolves when every row was delivered, dead-lettered or put back; rejects
   * MODEL_TRANSIENT when the batch waits for its next try, and else with the reason of an outage, after the rows that did not run
   * were put back.
   */
  async run(lane: Lane, slot: BatchSlot, batch: Batch): Promise<void> {
    const { metrics, models, now, onReleased, onProgress } = this.#options
    const model = models.get(lane)!
    const works = new Set(batch.segments.map(segment => segment.run.work))
    const startedAtMs = now()
    metrics.batchDispatched(this.step, batch.reason, batch.rows, waits(batch, startedAtMs), batch.paddingBytes)
    try {
      const inputs = this.#fillSlot(slot, batch)
      if (inputs instanceof Failed) {
        metrics.batchFailed(this.step, cohortOf(batch))
        return this.#recovery.hasNoRoom(batch, model, inputs.error)
      }
      const bytesPerRow = bytesOf(inputs, batch.rows)
      const result = await this.#call(slot, 0, batch.rows).catch((error: unknown) => new Failed(error))
      if (result instanceof Failed) {
        metrics.batchFailed(this.step, cohortOf(batch))
        await this.#recovery.recover({
          batch,
          model,
          error: result.error,
          run: (from, rows) => this.#call(slot, from, rows),
          good: (from, rows, outputs) => this.#succeeded(batch, from, rows, outputs, bytesPerRow),
        })
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

  #succeeded(batch: Batch, from: number, rows: number, outputs: BatchOutputs, bytesPerRow: number | undefined): void {
    this.#options.metrics.batchSucceeded(
      this.step,
      cohortOf(batch),
      rows,
      outputs.numBytes ?? (bytesPerRow === undefined ? undefined : rows * bytesPerRow),
      outputs.computeMs,
      outputs.queueMs,
    )
    let at = 0
    for (const part of rangeOf(batch.segments, from, rows)) {
      const { block } = part.run.work
      const first = block.offset(part.run.work.rowOf(part.run.rows[part.from]!))
      this.#options.note(`results of step ${this.step} for ${block.topic}/${block.partition} from offset ${first}`)
      this.#options.output.deliver(part, outputs, at)
      at += part.to - part.from
    }
  }
}

/** Which model of the step runs the batch: the same for all its rows. */
function cohortOf({ segments }: Batch): number {
  return segments[0]!.run.cohort
}

/** How long its rows waited: the first one, which waited longest, and all of them together. */
function waits({ segments, firstArrivedAtMs }: Batch, nowMs: number): BatchWaits {
  let allMs = 0
  for (const { run, from, to } of segments) allMs += (to - from) * (nowMs - run.arrivedAtMs)
  return { firstMs: nowMs - firstArrivedAtMs, allMs }
}

/** A call that failed, apart from what it returns: an error of ours behind the call must not look like one of the model. */
class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** Bytes of one row; undefined where there are strings, whose bytes would have to be counted one by one. */
function bytesOf(inputs: readonly TensorData[], rows: number): number | undefined {
  let bytes = 0
  for (const input of inputs) {
    if (!ArrayBuffer.isView(input)) return undefined
    bytes += input.byteLength
  }
  return bytes / rows
}
