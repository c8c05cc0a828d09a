import type { AdaptiveSize } from './adaptive.ts'
import type { Batcher } from './batcher.ts'
import { RowCeiling } from './row-ceiling.ts'
import type { Batch } from './row-run.ts'

export interface BatchSizesOptions {
  readonly maxSize: number
  readonly batcher: Pick<Batcher, 'limit'>
  /** By cohort, where sizes adapt. */
  readonly adaptives: readonly (AdaptiveSize | undefined)[]
  /** The ceiling of a cohort has changed, and the lowest of all is `lowest` now; see `RowCeiling`. */
  readonly onCeiling: (cohort: number, rows: number, lowest: number, failedRows: number | undefined) => void
}

/** How many rows the batches of each model of a step may have: what fits, and what works best. The models share a device, but differ. */
export class BatchSizes {
  readonly #options: BatchSizesOptions
  readonly #adaptives: (AdaptiveSize | undefined)[]
  /** Of the cohorts that met a limit. */
  readonly #ceilings = new Map<number, { readonly ceiling: RowCeiling; rows: number }>()

  constructor(options: BatchSizesOptions) {
    this.#options = options
    this.#adaptives = [...options.adaptives]
    for (const [cohort, adaptive] of options.adaptives.entries()) {
      adaptive?.onChange(() => this.#limit(cohort))
      if (adaptive) this.#limit(cohort)
    }
  }

  /** Another model has this cohort, and what was learnt is not about it. */
  renew(cohort: number, adaptive: AdaptiveSize | undefined): void {
    this.#ceilings.delete(cohort)
    this.#adaptives[cohort] = adaptive
    adaptive?.onChange(() => this.#limit(cohort))
    this.#limit(cohort)
  }

  /** A call with so many rows fitted. */
  fitted(cohort: number, rows: number): void {
    if (this.#ceilings.size > 0) this.#ceilings.get(cohort)?.ceiling.fitted(rows)
  }

  /** A call with so many rows did not. */
  tooMany(cohort: number, rows: number): void {
    const { maxSize } = this.#options
    const known = this.#ceilings.get(cohort)
    const made = known ?? {
      ceiling: new RowCeiling(maxSize, (...change) => this.#onCeiling(cohort, ...change)),
      rows: maxSize,
    }
    if (!known) this.#ceilings.set(cohort, made)
    made.ceiling.tooMany(rows)
  }

  /** A batch took so long in its model. The size that is suggested now; undefined where sizes do not adapt. */
  observe(cohort: number, batch: Batch, computeMs: number): number | undefined {
    const adaptive = this.#adaptives[cohort]
    adaptive?.observe(batch, computeMs)
    return adaptive?.size
  }

  #onCeiling(cohort: number, rows: number, failedRows: number | undefined): void {
    this.#ceilings.get(cohort)!.rows = rows
    this.#limit(cohort)
    const lowest = Math.min(...Array.from(this.#ceilings.values(), each => each.rows))
    this.#options.onCeiling(cohort, rows, lowest, failedRows)
  }

  #limit(cohort: number): void {
    const { maxSize, batcher } = this.#options
    const adaptive = this.#adaptives[cohort]
    batcher.limit(cohort, Math.min(this.#ceilings.get(cohort)?.rows ?? maxSize, adaptive?.size ?? maxSize))
  }
}
