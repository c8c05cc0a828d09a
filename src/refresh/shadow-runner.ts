/**
 * One shadow at work: copies of batches that the stable model has scored go to the shadow's lanes, and what both say to the shadow topic.
 *
 * H1. It is outside of I1: nothing waits for it. What it has no room, no lane or no topic for is dropped and counted, with the reason.
 * H2. Each row that was offered and chosen ends once: compared, failed on the shadow, or dropped.
 * H3. One batch at a time is in a lane. Where the shadow fails, the rows to blame are searched for as for any model; where it cannot work
 *     at all, its lane rests, longer each time.
 * H4. Behind `close` nothing is scored nor written; a call that is under way ends by itself.
 * H5. The main thread is not kept for longer than SLICE_MS at a time, but for a single row.
 */
import { RunInferenceError } from '../errors.ts'
import type { BatchOutputs, Lane } from '../models/executor.ts'
import type { ModelSet } from '../models/model-set.ts'
import type { ModelSlot } from '../models/model-version.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { bisect } from '../pipeline/bisect.ts'
import type { ShadowDropReason, ShadowMetrics } from '../pipeline/shadow-metrics.ts'
import type { OutputLayout } from '../pipeline/step-output.ts'
import { chosenRows, type RanRows, ShadowCopy } from './shadow-copy.ts'
import { ShadowQueue } from './shadow-queue.ts'
import { type ShadowInference, shadowRecord } from './shadow-record.ts'
import type { ShadowRecords, ShadowWriter } from './shadow-writer.ts'
import { Split } from './split.ts'
import type { ShadowTrial } from './step-trials.ts'

/** Beyond the batches that lanes work on. */
export const MAX_ROWS = 8_192
export const MAX_BYTES = 16 * 1024 * 1024
const SLICE_MS = 2
const FIRST_REST_MS = 100
const MAX_REST_MS = 5_000
/** A batch that takes longer is told: its lane scores nothing meanwhile. */
export const HANGS_AFTER_MS = 30_000
/** They say nothing of the rows. */
const OUTAGES = new Set(['LANE_LOST', 'MODEL_OUTAGE', 'MODEL_TRANSIENT', 'CLOSED'])

const isBadInput = (error: unknown) => !(error instanceof RunInferenceError && OUTAGES.has(error.code))

export interface ShadowRunnerParts {
  readonly step: string
  /** Of the stable model. */
  readonly cohort: number
  readonly trial: ShadowTrial
  readonly models: Pick<ModelSet, 'candidateLanes' | 'acquire'>
  readonly layout: OutputLayout
  readonly writer: Pick<ShadowWriter, 'isOpen' | 'records' | 'send'>
  readonly metrics: ShadowMetrics
  readonly clock: Clock
  /** A call of the shadow gave results; rows have failed on it. */
  readonly onRan: (rows: number, computeMs: number) => void
  readonly onFailed: (rows: number) => void
  /** The shadow cannot work now, and why; undefined: that is over. Told of changes. */
  readonly onProblem: (problem: RunInferenceError | undefined) => void
}

interface Tally {
  same: number
  different: number
  failed: number
}

/** A copy that is being scored. */
interface Scoring {
  readonly copy: ShadowCopy
  readonly records: ShadowRecords
  readonly tally: Tally
  /** Those that gave results. */
  readonly calls: { readonly rows: number; readonly computeMs: number }[]
}

export class ShadowRunner {
  readonly #parts: ShadowRunnerParts
  readonly #split: Split | undefined
  readonly #queue: ShadowQueue<ShadowCopy>
  readonly #end = new AbortController()
  #maxDifference = 0
  #hasProblem = false
  /** Rows in a row that the shadow refused alone; as `BisectOptions.refusedBefore`. */
  #refused = 0

  constructor(parts: ShadowRunnerParts) {
    this.#parts = parts
    const { candidate } = parts.trial
    this.#split = candidate.percent < 100 ? new Split(candidate) : undefined
    this.#queue = new ShadowQueue({
      maxRows: MAX_ROWS,
      maxBytes: MAX_BYTES,
      onDropped: (rows, why, error) => this.#drop(rows, why, error),
    })
    for (const lane of parts.models.candidateLanes(parts.cohort)) void this.#work(lane)
  }

  /** These rows have run on the stable model: what is chosen of them is copied, if there is room. Returns at once, never throws. */
  offer(ran: RanRows): void {
    const chosen = this.#split && chosenRows(ran, this.#split)
    const rows = chosen?.length ?? ran.rows
    if (rows === 0) return
    if (this.#parts.writer.isOpen) this.#queue.offer(() => new ShadowCopy(ran, this.#parts.layout, chosen), rows)
    else this.#drop(rows, 'unwritten')
  }

  close(): void {
    this.#end.abort()
    this.#queue.close()
  }

  async #work(lane: Lane): Promise<void> {
    const { clock } = this.#parts
    let restMs = FIRST_REST_MS
    for (;;) {
      const copy = await this.#queue.next()
      if (!copy) return
      const problem = await this.#score(lane, copy)
      this.#queue.done(copy)
      if (problem && !this.#end.signal.aborted) {
        await sleep(clock, restMs, this.#end.signal)
        restMs = Math.min(MAX_REST_MS, restMs * 2)
      } else restMs = FIRST_REST_MS
    }
  }

  /** Resolves with what keeps the shadow from working. Never rejects. */
  async #score(lane: Lane, copy: ShadowCopy): Promise<RunInferenceError | undefined> {
    const { models, trial, writer } = this.#parts
    const records = writer.records()
    const slot = this.#end.signal.aborted ? undefined : models.acquire(lane, trial.candidateCohort)
    if (!records || !slot) {
      this.#drop(copy.rows, records ? 'closed' : 'unwritten')
      slot?.release()
      return undefined
    }
    const tellNoMore = this.#parts.clock.after(HANGS_AFTER_MS, () => this.#tellProblem(hanging(copy.rows)))
    const scoring: Scoring = { copy, records, tally: { same: 0, different: 0, failed: 0 }, calls: [] }
    const problem = await this.#run(slot, scoring)
      .catch((error: unknown) => RunInferenceError.from(error, 'BUG', `shadow of step ${this.#parts.step}`))
      .finally(() => {
        tellNoMore()
        slot.release()
      })
    await this.#tell(scoring, problem)
    return problem
  }

  /** Resolves with an outage, in which rows were left out. */
  async #run(slot: ModelSlot, scoring: Scoring): Promise<RunInferenceError | undefined> {
    const { copy } = scoring
    copy.fill(slot.slot)
    let outputs: BatchOutputs
    try {
      outputs = await this.#call(slot, scoring, 0, copy.rows)
    } catch (error) {
      const ours = RunInferenceError.from(error, 'INFERENCE_FAILED')
      return OUTAGES.has(ours.code) ? ours : this.#search(slot, scoring, ours)
    }
    this.#refused = 0
    let sinceMs = this.#parts.clock.now()
    for (let i = 0; i < copy.rows && !this.#end.signal.aborted; i++) {
      this.#compare(scoring, i, outputs, i)
      if (this.#parts.clock.now() - sinceMs < SLICE_MS) continue
      await sleep(this.#parts.clock, 0, this.#end.signal)
      sinceMs = this.#parts.clock.now()
    }
    return undefined
  }

  async #call({ slot }: ModelSlot, { calls }: Scoring, from: number, rows: number): Promise<BatchOutputs> {
    const outputs = await slot.run(from, rows)
    calls.push({ rows, computeMs: outputs.computeMs })
    return outputs
  }

  /** Finds the rows on which the shadow fails: what a search leaves undecided is tried, and searched, as a batch of its own. */
  async #search(slot: ModelSlot, scoring: Scoring, error: RunInferenceError): Promise<RunInferenceError | undefined> {
    const ranges: { readonly from: number; readonly rows: number }[] = [{ from: 0, rows: scoring.copy.rows }]
    let [isKnownGood, reason] = [false, error as unknown]
    for (let range = ranges.pop(); range && !this.#end.signal.aborted; range = ranges.pop()) {
      const { from: first, rows } = range
      const good = (from: number, count: number, outputs: BatchOutputs) => {
        for (let i = 0; i < count; i++) this.#compare(scoring, first + from + i, outputs, i)
      }
      if (isKnownGood) {
        try {
          good(0, rows, await this.#call(slot, scoring, first, rows))
          continue
        } catch (failure) {
          if (!isBadInput(failure)) return RunInferenceError.from(failure, 'MODEL_OUTAGE')
          reason = failure
        }
      }
      const verdict = await bisect(
        rows,
        reason,
        {
          run: (from, count) => this.#call(slot, scoring, first + from, count),
          control: () => slot.model.runControl(),
          good,
        },
        { isBadInput, isKnownGood, refusedBefore: this.#refused },
      )
      this.#refused = verdict.refused
      for (const bad of verdict.bad) this.#failed(scoring, first + bad.row, bad.error)
      if (verdict.outage !== undefined) return RunInferenceError.from(verdict.outage, 'MODEL_OUTAGE')
      for (const left of verdict.undecided) ranges.push({ from: first + left.from, rows: left.rows })
      isKnownGood = true
    }
    return undefined
  }

  #failed(scoring: Scoring, row: number, reason: unknown): void {
    const { message } = RunInferenceError.from(reason, 'INFERENCE_FAILED')
    this.#add(scoring, row, { modelId: this.#parts.trial.modelId, error: message })
    scoring.tally.failed++
  }

  #compare(scoring: Scoring, row: number, outputs: BatchOutputs, position: number): void {
    const inference = scoring.copy.shadow(outputs, position)
    const { differs, maxDifference } = this.#add(scoring, row, { modelId: outputs.modelId, inference })
    scoring.tally[differs ? 'different' : 'same']++
    this.#maxDifference = Math.max(this.#maxDifference, maxDifference)
  }

  #add({ copy, records }: Scoring, row: number, candidate: ShadowInference) {
    const stable = { modelId: copy.stableId, inference: copy.stable(row) }
    const record = shadowRecord(copy.sources.at(row), stable, candidate)
    records.add(copy.sources.key(row), record)
    return record
  }

  /** Writes, and counts: also what was left out. */
  async #tell({ copy, records, tally, calls }: Scoring, problem: RunInferenceError | undefined): Promise<void> {
    const { metrics, step, cohort, onFailed, onRan, writer } = this.#parts
    const isClosed = this.#end.signal.aborted
    const done = tally.same + tally.different + tally.failed
    for (const { computeMs } of calls) metrics.shadowRan(step, cohort, computeMs)
    if (done > 0) metrics.shadowCompared(step, cohort, tally, this.#maxDifference)
    if (done < copy.rows) this.#drop(copy.rows - done, isClosed ? 'closed' : problem ? 'outage' : 'failed')
    this.#tellProblem(problem)
    const unwritten = await writer.send(records)
    if (unwritten > 0) metrics.shadowUnwritten(step, cohort, unwritten)
    // This may end the trial: what it is judged by has been written.
    for (const { rows, computeMs } of calls) if (!this.#end.signal.aborted) onRan(rows, computeMs)
    if (tally.failed > 0 && !this.#end.signal.aborted) onFailed(tally.failed)
  }

  #tellProblem(problem: RunInferenceError | undefined): void {
    // A call that hangs may outlive the trial: nobody would take back what is told of it.
    if (this.#end.signal.aborted || (problem === undefined && !this.#hasProblem)) return
    this.#hasProblem = problem !== undefined
    this.#parts.onProblem(problem)
  }

  #drop(rows: number, reason: ShadowDropReason, error?: RunInferenceError): void {
    const { metrics, step, cohort } = this.#parts
    metrics.shadowDropped(step, cohort, rows, reason)
    if (error) this.#tellProblem(error)
  }
}

function hanging(rows: number): RunInferenceError {
  const what = `the shadow has been at a batch of ${rows} rows for ${HANGS_AFTER_MS / 1_000} s, and scores nothing meanwhile`
  return new RunInferenceError('MODEL_OUTAGE', what)
}
