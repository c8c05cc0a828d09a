/**
 * Halts the application when too much fails, before a mistake upstream turns a whole topic into dead letters. One mechanism for
 * the share that all steps have in common (`floodRatio`) and for a step's own (`exceptionHandling.threshold`, as in Beam).
 *
 * F1. A meter counts, at one stage of one step, what came there and what of it failed: records, or batches where those fail
 *     as a whole.
 * F2. It trips when bad > total × limit (Beam's rule, strict), over the last `windowMs`, and not before `minRecords` have come:
 *     the first bad record of a quiet night halts nothing. It looks when a piece of work is done (a slice of a block, a batch):
 *     within one, what failed may be known before what passed.
 * F3. A step's own threshold, in `bundle` mode, is that of each block alone, however small, looked at when it is done: as Beam
 *     does at the end of a bundle. `floodRatio` is not: a block of one bad record would halt an instance that nobody asked to.
 * F4. It is told once; then nothing is, until `reset`, which forgets what was counted.
 * F5. Nothing is done per record but for those that fail or are dropped, and nothing at all where the limit is 1.
 * F6. What a model on trial does in inference is counted neither way where a rule ends the trial: one bad canary halts nothing.
 */
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import type { FailedStage } from '../kafka/topic-names.ts'
import type { Clock } from '../ops/clock.ts'
import type { WorkBlock } from './work-block.ts'

const BUCKETS = 10
/** Of the message of the last failure. */
const SHOWN_CHARS = 300

export interface FloodLimits {
  /** Of steps that have no threshold of their own; 1: never. */
  readonly floodRatio: number
  readonly floodWindowMs: number
  readonly floodMinRecords: number
}

export interface FloodGuardOptions extends FloodLimits {
  readonly clock: Clock
  readonly onTrip: (reason: RunInferenceError) => void
}

/** What one stage of one step tells. */
export interface FloodMeter {
  /** So many came here, and have not failed so far. */
  passed(work: WorkBlock, units: number, records: number): void
  /**
   * A record failed; `units`: 0 where its batch was told already. `isCounted`: it was told to have passed before. `error`: for
   * whoever asks why, since nothing may be written yet of what has failed.
   */
  failed(work: WorkBlock, units: 0 | 1, isCounted: boolean, error?: RunInferenceError): void
}

/** Who counts what comes to the stages of a step and passes them. */
export interface StepMeters {
  readonly preprocess: FloodMeter | undefined
  readonly inference: FloodMeter | undefined
  readonly postprocess: FloodMeter | undefined
}

interface Counts {
  records: number
  total: number
  bad: number
}

export class FloodGuard {
  readonly #options: FloodGuardOptions
  readonly #meters = new Map<string, Meter>()
  #hasTripped = false

  constructor(options: FloodGuardOptions) {
    this.#options = options
  }

  /** Undefined where nothing can trip. `step`: undefined in a topology without one. */
  meterOf(step: StepNode | undefined, stage: FailedStage): FloodMeter | undefined {
    const { floodRatio, floodWindowMs, floodMinRecords, clock } = this.#options
    const { exceptionHandling: { threshold, failureUnit } = {}, batch } = step?.options ?? {}
    const limit = threshold ?? floodRatio
    if (limit >= 1) return undefined
    const key = `${stage} ${step?.step}`
    const known = this.#meters.get(key)
    if (known) return known
    const place = `${stage === 'inference' ? 'inference' : `${stage}ing`}${step ? ` of step ${step.step}` : ''}`
    const meter = new Meter({
      place,
      units: stage === 'inference' && failureUnit === 'batch' ? 'batches' : 'records',
      limit,
      limitName: threshold === undefined ? 'floodRatio' : 'exceptionHandling.threshold',
      perBlock: threshold !== undefined && (batch?.mode ?? step?.handler.batch.mode) === 'bundle',
      windowMs: floodWindowMs,
      minRecords: floodMinRecords,
      clock,
      trip: reason => this.#trip(reason),
    })
    this.#meters.set(key, meter)
    return meter
  }

  /** So many rows of this block were decoded: on ways without a step, they are what came. */
  decoded(work: WorkBlock, rows: number): void {
    this.#meters.get('preprocess undefined')?.passed(work, rows, rows)
  }

  /** A piece of work is done, and everything of it was counted (F2). */
  look(): void {
    for (const meter of this.#meters.values()) meter.look()
  }

  /** Every row of this block is done (F3). */
  blockDone(work: WorkBlock): void {
    for (const meter of this.#meters.values()) meter.blockDone(work)
  }

  /** An operator has let the application go on. */
  reset(): void {
    for (const meter of this.#meters.values()) meter.reset()
    this.#hasTripped = false
  }

  #trip(reason: RunInferenceError): void {
    if (this.#hasTripped) return
    this.#hasTripped = true
    this.#options.onTrip(reason)
  }
}

interface MeterOptions {
  readonly place: string
  readonly units: string
  readonly limit: number
  readonly limitName: string
  readonly perBlock: boolean
  readonly windowMs: number
  readonly minRecords: number
  readonly clock: Clock
  readonly trip: (reason: RunInferenceError) => void
}

class Meter implements FloodMeter {
  readonly #options: MeterOptions
  #buckets = Array.from({ length: BUCKETS }, nothing)
  /** Which of the window's parts is being counted, since the clock began. */
  #part = 0
  #blocks = new WeakMap<WorkBlock, Counts>()
  /** Something has failed since it looked last. */
  #isTroubled = false
  #lastError: RunInferenceError | undefined

  constructor(options: MeterOptions) {
    this.#options = options
  }

  passed(work: WorkBlock, units: number, records: number): void {
    const counts = this.#countsOf(work)
    counts.total += units
    counts.records += records
  }

  failed(work: WorkBlock, units: 0 | 1, isCounted: boolean, error?: RunInferenceError): void {
    const counts = this.#countsOf(work)
    this.#lastError = error
    counts.bad += units
    if (!isCounted) {
      counts.total += units
      counts.records++
    }
    this.#isTroubled = true
  }

  look(): void {
    if (!this.#isTroubled || this.#options.perBlock) return
    this.#isTroubled = false
    this.#bucket() // What is older than the window is forgotten.
    this.#judge(this.#sum(), this.#options.minRecords)
  }

  blockDone(work: WorkBlock): void {
    const counts = this.#blocks.get(work)
    if (!counts) return
    this.#blocks.delete(work)
    this.#judge(counts, 0)
  }

  reset(): void {
    this.#buckets = this.#buckets.map(nothing)
    this.#blocks = new WeakMap()
  }

  #countsOf(work: WorkBlock): Counts {
    if (!this.#options.perBlock) return this.#bucket()
    const known = this.#blocks.get(work) ?? nothing()
    this.#blocks.set(work, known)
    return known
  }

  #bucket(): Counts {
    const { clock, windowMs } = this.#options
    const part = Math.floor(clock.now() / (windowMs / BUCKETS))
    for (let passed = Math.min(part - this.#part, BUCKETS); passed > 0; passed--)
      this.#buckets[(part - passed + 1) % BUCKETS] = nothing()
    this.#part = part
    return this.#buckets[part % BUCKETS]!
  }

  #sum(): Counts {
    const sum = nothing()
    for (const { records, total, bad } of this.#buckets) {
      sum.records += records
      sum.total += total
      sum.bad += bad
    }
    return sum
  }

  #judge({ records, total, bad }: Counts, minRecords: number): void {
    const { limit, limitName, place, units, perBlock, windowMs, trip } = this.#options
    if (records < minRecords || !(bad > total * limit)) return
    const where = perBlock ? 'one block' : `the last ${windowMs / 1_000} s`
    const share = `${bad} of ${total} ${units} failed in ${where}, and ${limitName} is ${limit}`
    const last = this.#lastError ? `; the last one: ${this.#lastError.message.slice(0, SHOWN_CHARS)}` : ''
    trip(new RunInferenceError('TOO_MANY_DEAD_LETTERS', `${place}: ${share}${last}`))
  }
}

function nothing(): Counts {
  return { records: 0, total: 0, bad: 0 }
}
