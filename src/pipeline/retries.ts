/**
 * Batches of a step whose model says that trying again can help (MODEL_TRANSIENT), until their time comes.
 *
 * T1. A batch is tried again whole, after firstDelayMs × 2^i, shortened by chance to half of it at most, and at most maxRetries
 *     times.
 * T2. While it waits it holds no slot and no lane; other batches go on, and only what must leave behind its rows waits for it.
 * T3. Rows of partitions that were lost are left out of the next try (I8).
 * T4. Its rows are here or in the hands of who took it, never both (I1).
 * T5. When a drain begins, what waits is due at once: the drain's budget may be shorter than the wait.
 */
import type { RetryOptions } from '../graph.ts'
import type { ModelVersion } from '../models/model-version.ts'
import { formBatch } from './form-batch.ts'
import { type Batch, cohortOf, type RunSegment } from './row-run.ts'

interface Waiting {
  readonly batch: Batch
  readonly dueMs: number
}

export class Retries {
  readonly #options: Required<RetryOptions>
  readonly #random: () => number
  /** The one that is due first stands in front. */
  #waiting: Waiting[] = []

  constructor({ maxRetries = 5, firstDelayMs = 100, maxDelayMs = 5_000 }: RetryOptions, random: () => number) {
    this.#options = { maxRetries, firstDelayMs, maxDelayMs }
    this.#random = random
  }

  /** Keeps a batch that failed until it is due; false: it was tried often enough. */
  add(batch: Batch, nowMs: number): boolean {
    const { firstDelayMs, maxDelayMs } = this.#options
    const { retries = 0 } = batch
    if (this.isSpent(batch)) return false
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** retries) * (0.5 + this.#random() / 2)
    this.#insert({ batch: { ...batch, retries: retries + 1 }, dueMs: nowMs + delayMs })
    return true
  }

  /** It was tried so often that it is not tried again. */
  isSpent({ retries = 0 }: Batch): boolean {
    return retries >= this.#options.maxRetries
  }

  /** Takes back one that was taken and could not run. */
  putBack(batch: Batch, nowMs: number): void {
    this.#insert({ batch, dueMs: nowMs })
  }

  /** The first batch that is due and can run, without the rows that were lost meanwhile. */
  take(nowMs: number, canRun: (batch: Batch) => boolean = () => true): Batch | undefined {
    for (let i = 0; i < this.#waiting.length && this.#waiting[i]!.dueMs <= nowMs; i++) {
      if (!canRun(this.#waiting[i]!.batch)) continue
      const batch = withoutLost(this.#waiting.splice(i, 1)[0]!.batch)
      if (batch) return batch
      i--
    }
    return undefined
  }

  /** True when there is something that `take` would give. */
  hasDue(nowMs: number, canRun: (batch: Batch) => boolean): boolean {
    return this.#waiting.some(({ batch, dueMs }) => dueMs <= nowMs && canRun(batch))
  }

  /** True while a batch waits that began on this version of its model. */
  waitsFor(version: ModelVersion): boolean {
    return this.#waiting.some(({ batch }) => batch.begunOn === version)
  }

  hasRowsOf(cohort: number): boolean {
    return this.#waiting.some(({ batch }) => cohortOf(batch) === cohort)
  }

  /** Takes all batches of a cohort. */
  takeAll(cohort: number): readonly Batch[] {
    const taken = this.#waiting.filter(({ batch }) => cohortOf(batch) === cohort)
    this.#waiting = this.#waiting.filter(({ batch }) => cohortOf(batch) !== cohort)
    return taken.map(({ batch }) => batch)
  }

  /** The batches of a cohort have these rows instead of theirs; when they are due, and on which version, stays. */
  replaceRows(cohort: number, by: (segments: readonly RunSegment[]) => readonly RunSegment[]): void {
    this.#waiting = this.#waiting.map(({ batch, dueMs }) => {
      const isMeant = cohortOf(batch) === cohort
      return { batch: isMeant ? { ...batch, segments: by(batch.segments) } : batch, dueMs }
    })
  }

  /** When the next one is due, in clock milliseconds, of those that are not due yet. */
  deadlineMs(nowMs: number): number | undefined {
    return this.#waiting.find(({ dueMs }) => dueMs > nowMs)?.dueMs
  }

  get rows(): number {
    return this.#waiting.reduce((sum, { batch }) => sum + batch.rows, 0)
  }

  /** Everything is due now. */
  hurry(nowMs: number): void {
    this.#waiting = this.#waiting.map(({ batch, dueMs }) => ({ batch, dueMs: Math.min(dueMs, nowMs) }))
  }

  dropLost(): void {
    this.#waiting = this.#waiting.flatMap(({ batch, dueMs }) => {
      const left = withoutLost(batch)
      return left ? [{ batch: left, dueMs }] : []
    })
  }

  #insert(waiting: Waiting): void {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#waiting[middle]!.dueMs <= waiting.dueMs) low = middle + 1
      else high = middle
    }
    this.#waiting.splice(low, 0, waiting)
  }
}

function withoutLost(batch: Batch): Batch | undefined {
  const segments = batch.segments.filter(({ run }) => !run.work.lost)
  if (segments.length === batch.segments.length) return batch
  if (segments.length === 0) return undefined
  const { reason, retries = 0, begunOn } = batch
  return { ...formBatch(segments, reason), retries, ...(begunOn ? { begunOn } : {}) }
}
