import type { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Lane } from './executor.ts'

/** A lane does not try again before. */
export const REMEMBERED_MS = 10_000

interface Refusal {
  readonly untilMs: number
  readonly reason: RunInferenceError
}

/** Loads that failed, remembered for a while: in which lane, and whether any lane is left that could. */
export class LoadRefusals {
  readonly #clock: Clock
  readonly #byLane = new Map<Lane, Map<number, Refusal>>()
  /** Of models that no lane can load. */
  readonly #everywhere = new Map<number, Refusal>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isRefusedBy(lane: Lane, cohort: number, nowMs: number): boolean {
    return isLive(this.#byLane.get(lane)?.get(cohort), nowMs)
  }

  /** True when none of `lanes` is left that could load it; there must be one. */
  add(lane: Lane, cohort: number, reason: RunInferenceError, lanes: readonly Lane[]): boolean {
    const nowMs = this.#clock.now()
    const ofLane = this.#byLane.get(lane) ?? new Map<number, Refusal>()
    this.#byLane.set(lane, ofLane.set(cohort, { untilMs: nowMs + REMEMBERED_MS, reason }))
    const refusals = lanes.map(each => this.#byLane.get(each)?.get(cohort))
    if (lanes.length === 0 || !refusals.every(refusal => isLive(refusal, nowMs))) return false
    this.#everywhere.set(cohort, { untilMs: Math.min(...refusals.map(refusal => refusal!.untilMs)), reason })
    return true
  }

  /** It has been loaded here. */
  forget(lane: Lane, cohort: number): void {
    this.#byLane.get(lane)?.delete(cohort)
    this.#everywhere.delete(cohort)
  }

  /** Another model has taken its place. */
  forgetAll(cohort: number): void {
    for (const ofLane of this.#byLane.values()) ofLane.delete(cohort)
    this.#everywhere.delete(cohort)
  }

  /** Why no lane can load it, while that is remembered. */
  reasonFor(cohort: number): RunInferenceError | undefined {
    if (this.#everywhere.size === 0) return undefined
    const refusal = this.#everywhere.get(cohort)
    if (isLive(refusal, this.#clock.now())) return refusal?.reason
    this.#everywhere.delete(cohort)
    return undefined
  }
}

function isLive(refusal: Refusal | undefined, nowMs: number): boolean {
  return refusal !== undefined && refusal.untilMs > nowMs
}
