/**
 * Beam's batch-size estimator: from the times of past batches (fixed cost + cost per row) the size at which the targets are
 * met. Formulae, limits and their order are Beam's, so its recorded sequences are this module's tests.
 *
 * E1. A size is never below `minSize`, nor above `maxSize`, nor above twice the last size that was recorded.
 * E2. The fixed cost is at most `targetBatchOverhead` of the time of a batch, and the time per batch at most the targets.
 * E3. Sizes vary (by one while few points are known, by `variance` later): one size alone says nothing of others.
 * E4. At most 100 points are kept; old ones go by chance, the older the sooner.
 */
import { fitLine } from './linear-fit.ts'

export interface EstimatorOptions {
  readonly minSize: number
  readonly maxSize: number
  /** 0: off, as with the other targets. */
  readonly targetBatchOverhead: number
  readonly targetBatchDurationMs: number
  readonly targetBatchDurationIncludingFixedCostMs: number
  readonly variance: number
}

const MAX_POINTS = 100
/** From more points than this, sizes vary by chance. */
const VARIED_FROM = 10
/** The largest fifth of the sizes is left out of the fit, once more points than this are there. */
const UNTRIMMED_POINTS = 20
const MAX_GROWTH = 2
/** Noise can make costs nonsensical. */
const LEAST_FIXED_SECONDS = 1e-10
const LEAST_SECONDS_PER_ROW = 1e-20

interface Point {
  readonly size: number
  readonly seconds: number
}

export class BatchSizeEstimator {
  readonly #options: EstimatorOptions
  readonly #random: () => number
  readonly #points: Point[] = []
  #ignoreNext = false
  #replay = 0

  constructor(options: EstimatorOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** The next time says nothing (a first call is slow): its size is asked for once more instead. */
  ignoreNextTime(): void {
    this.#ignoreNext = true
  }

  /** A batch of this size took so long. */
  record(size: number, durationMs: number): void {
    if (this.#ignoreNext) {
      this.#ignoreNext = false
      this.#replay = Math.min(size, this.#options.maxSize)
      return
    }
    this.#points.push({ size, seconds: durationMs / 1000 })
    // Two at a time: that the number of points is even or odd decides on the jitter of `next`.
    if (this.#points.length >= MAX_POINTS) for (const share of [4, 2]) this.#dropOneOfOldest(share)
  }

  /** The size for the next batch. */
  next(): number {
    const { minSize, maxSize, variance } = this.#options
    const points = this.#points
    if (this.#replay > 0) {
      const size = this.#replay
      this.#replay = 0
      return size
    }
    if (minSize === maxSize || points.length === 0) return minSize
    if (points.length === 1) return Math.max(Math.min(maxSize, minSize * MAX_GROWTH), minSize + 1)
    const cap = Math.min(points.at(-1)!.size * MAX_GROWTH, maxSize)
    let target = this.#target()
    if (points.length > VARIED_FROM) target += Math.trunc(target * variance * 2 * (this.#random() - 0.5))
    const jitter = points.length % 2
    return Math.trunc(Math.max(minSize + jitter, Math.min(target, cap)))
  }

  /** What the targets allow, by the line through the points. */
  #target(): number {
    const { maxSize, targetBatchOverhead, targetBatchDurationMs, targetBatchDurationIncludingFixedCostMs } =
      this.#options
    const sorted = this.#points.toSorted((a, b) => a.size - b.size || a.seconds - b.seconds)
    const kept = sorted.slice(0, Math.max(UNTRIMMED_POINTS, Math.trunc((sorted.length * 4) / 5)))
    const line = fitLine(
      kept.map(point => point.size),
      kept.map(point => point.seconds),
    )
    const fixed = Math.max(line.fixed, LEAST_FIXED_SECONDS)
    const perRow = Math.max(line.perRow, LEAST_SECONDS_PER_ROW)
    let target = maxSize
    if (targetBatchDurationIncludingFixedCostMs > 0)
      target = Math.min(target, (targetBatchDurationIncludingFixedCostMs / 1000 - fixed) / perRow)
    // The fixed cost does not count here: a large one would force the smallest batches, which is the worst answer to it.
    if (targetBatchDurationMs > 0) target = Math.min(target, targetBatchDurationMs / 1000 / perRow)
    if (targetBatchOverhead > 0) target = Math.min(target, (fixed / perRow) * (1 / targetBatchOverhead - 1))
    return target
  }

  #dropOneOfOldest(share: number): void {
    this.#points.splice(Math.floor(this.#random() * Math.floor(this.#points.length / share)), 1)
  }
}
