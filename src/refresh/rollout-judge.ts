/**
 * Whether a model on trial is worse than the stable one by more than its rule allows: what an instance gives a trial up for.
 *
 * J1. Both sides are counted over the same time: the last `windowMs`, forgotten in tenths, and as much longer as it takes until
 *     each side has `minRecords`. Below that on either side there is no verdict.
 * J2. Failures are compared as shares of the records. The stable share counts as one in a thousand at least, and as one of the
 *     candidate's records: a stable model that has never failed does not condemn a candidate for one bad record.
 * J3. Latency is what calls take for batches of equal size, since a small share of the keys makes small batches, in which each
 *     row takes longer: per row among batches of about one size; where the stable model had none of that size, a batch may take
 *     per row what a smaller one took, and as a whole what a larger one took, whichever is less.
 * J4. The candidate's slowest call does not count: a pause of the machine is no verdict. A call of the stable model counts as
 *     0.1 ms at least; what is quicker than that is not compared.
 * J5. Memory is bounded, whatever comes and for however long; a batch costs the same.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { addTallies, expectedMs, type Side, type SideTally, type Tally, tallyCall, tallyOf } from './rollout-tally.ts'
import type { AbortRule } from './step-models.ts'

/** The stable model's share of failures counts as this at least (J2). */
export const FAILURE_FLOOR = 0.001
const PARTS = 10
const SIDES = ['stable', 'candidate'] as const

export interface RolloutJudgeOptions {
  readonly rule: AbortRule
  readonly windowMs: number
  readonly clock: Pick<Clock, 'now'>
}

/** The candidate is worse than allowed. */
export interface Verdict {
  readonly about: 'failures' | 'latency'
  /** `failures`: the candidate's share of failed records. `latency`: how many times as long its calls took as the stable model's. */
  readonly measured: number
  /** `measured` is more than this. */
  readonly allowed: number
  /** What was measured and what is allowed, in a sentence. */
  readonly reason: string
}

interface Part {
  begunAtMs: number
  readonly endsAtMs: number
  readonly tally: Tally
}

export class RolloutJudge {
  readonly #options: RolloutJudgeOptions
  /** The tenths of the window that have begun, oldest first; the first may hold what is older (J1). */
  readonly #parts: Part[] = []
  /** All parts together. */
  #sum = tallyOf()

  constructor(options: RolloutJudgeOptions) {
    this.#options = options
  }

  /** A call gave results for `rows` rows of one batch, and took so long inside the model. */
  ran(side: Side, rows: number, callMs: number): void {
    if (!(Number.isSafeInteger(rows) && rows >= 1 && callMs >= 0 && callMs < Number.POSITIVE_INFINITY)) {
      throw new RunInferenceError('BUG', `a call with ${rows} rows that took ${callMs} ms cannot be judged`)
    }
    const { tally } = this.#now()
    tallyCall(tally[side], rows, callMs)
    tallyCall(this.#sum[side], rows, callMs)
  }

  /** So many records have failed in inference for good. What is tried again has not failed yet; an outage is none. */
  failed(side: Side, records: number): void {
    const { tally } = this.#now()
    for (const each of [tally[side], this.#sum[side]]) {
      each.records += records
      each.failed += records
    }
  }

  /** Undefined while the candidate is within its rule, or too little is known. */
  verdict(): Verdict | undefined {
    this.#forget()
    const { stable, candidate } = this.#sum
    const { minRecords } = this.#options.rule
    if (stable.records < minRecords || candidate.records < minRecords) return undefined
    return this.#ofFailures(stable, candidate) ?? this.#ofLatency(stable, candidate)
  }

  #ofFailures(stable: SideTally, candidate: SideTally): Verdict | undefined {
    const { failureFactor } = this.#options.rule
    const share = stable.failed / stable.records
    const floor = Math.max(FAILURE_FLOOR, 1 / candidate.records)
    const measured = candidate.failed / candidate.records
    const allowed = failureFactor * Math.max(share, floor)
    if (!(measured > allowed)) return undefined
    const counted = share < floor ? `, which counts as ${percent(floor)}` : ''
    const reason =
      `${this.#since()} ${shareOf(candidate)} failed on the candidate, and ${shareOf(stable)} on the stable model${counted}; ` +
      `allowed are ${failureFactor} times that, ${percent(allowed)}`
    return { about: 'failures', measured, allowed, reason }
  }

  #ofLatency(stable: SideTally, candidate: SideTally): Verdict | undefined {
    const { latencyFactor } = this.#options.rule
    const expected = expectedMs(stable, candidate)
    if (expected === undefined) return undefined
    const tookMs = candidate.callMs - candidate.slowest.callMs
    const rows = candidate.rows - candidate.slowest.rows
    const measured = tookMs / expected
    if (!(measured > latencyFactor)) return undefined
    const reason =
      `${this.#since()} calls of the candidate took ${figure(measured)} times as long as the stable model needs for batches of the ` +
      `same sizes (${figure((1_000 * tookMs) / rows)} and ${figure((1_000 * expected) / rows)} µs a record, over ` +
      `${count(rows)} records in ${count(candidate.calls - 1)} calls, without the slowest); allowed are ${latencyFactor} times`
    return { about: 'latency', measured, allowed: latencyFactor, reason }
  }

  #since(): string {
    const { clock } = this.#options
    return `in the last ${figure((clock.now() - this.#parts[0]!.begunAtMs) / 1_000)} s`
  }

  /** The part that is being counted. */
  #now(): Part {
    this.#forget()
    const { clock, windowMs } = this.#options
    const nowMs = clock.now()
    const last = this.#parts.at(-1)
    if (last && nowMs < last.endsAtMs) return last
    const part = { begunAtMs: nowMs, endsAtMs: nowMs + windowMs / PARTS, tally: tallyOf() }
    this.#parts.push(part)
    return part
  }

  /** Parts that the window has left go where enough is left without them; the others of them become one (J1, J5). */
  #forget(): void {
    const parts = this.#parts
    const sinceMs = this.#options.clock.now() - this.#options.windowMs
    const hasLeft = (at: number) => parts.length > 1 && (parts[at]?.endsAtMs ?? Number.POSITIVE_INFINITY) <= sinceMs
    const before = parts.length
    while (hasLeft(0) && this.#isEnough(1)) parts.shift()
    if (parts.length < before) {
      this.#sum = tallyOf()
      for (const { tally } of parts) addTallies(this.#sum, tally)
    }
    while (hasLeft(1)) {
      const first = parts.shift()!
      addTallies(parts[0]!.tally, first.tally)
      parts[0]!.begunAtMs = first.begunAtMs
    }
  }

  /** True when each side has enough in the parts from this one on. */
  #isEnough(from: number): boolean {
    const { minRecords } = this.#options.rule
    const left = this.#parts.slice(from)
    return SIDES.every(side => left.reduce((sum, { tally }) => sum + tally[side].records, 0) >= minRecords)
  }
}

function shareOf({ failed, records }: SideTally): string {
  return `${count(failed)} of ${count(records)} records (${percent(failed / records)})`
}

function percent(share: number): string {
  return `${figure(100 * share)} %`
}

/** Three digits are more than is known. */
function figure(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
