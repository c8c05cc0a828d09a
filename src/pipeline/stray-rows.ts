import type { TensorData } from '../models/tensors.ts'
import type { RowRun, RunSegment } from './row-run.ts'

/**
 * Rows that were staged for a candidate which has ended. They are the stable model's from then on: left where they are, they would be
 * those of the next candidate, whatever its share.
 */
export class StrayRows {
  /** Models of the handler. */
  readonly #cohorts: number
  /** One for each run, so that its parts keep their order. */
  readonly #moved = new WeakMap<RowRun, RowRun>()

  constructor(cohorts: number) {
    this.#cohorts = cohorts
  }

  isOfCandidate(cohort: number): boolean {
    return cohort >= this.#cohorts
  }

  stableOf(cohort: number): number {
    return cohort % this.#cohorts
  }

  candidateOf(cohort: number): number {
    return this.stableOf(cohort) + this.#cohorts
  }

  /** The same rows, as those of the stable model. */
  moved(segments: readonly RunSegment[]): RunSegment[] {
    return segments.map(({ run, from, to }) => ({ run: this.#ofStable(run), from, to }))
  }

  #ofStable(run: RowRun): RowRun {
    const known = this.#moved.get(run)
    if (known) return known
    const made = new MovedRun(run, this.stableOf(run.cohort))
    this.#moved.set(run, made)
    return made
  }
}

class MovedRun implements RowRun {
  readonly cohort: number
  /** Of their own: batches that elements brought are numbered for each model. */
  readonly bucketKey: string
  readonly work: RowRun['work']
  readonly count: number
  readonly rows: RowRun['rows']
  readonly route: number
  readonly rowShapes: RowRun['rowShapes']
  readonly cost: RowRun['cost']
  readonly arrivedAtMs: number
  readonly broughtBy: number | undefined
  readonly keys: RowRun['keys']
  readonly #run: RowRun

  constructor(run: RowRun, cohort: number) {
    this.#run = run
    this.cohort = cohort
    this.bucketKey = `moved ${run.bucketKey}`
    this.work = run.work
    this.count = run.count
    this.rows = run.rows
    this.route = run.route
    this.rowShapes = run.rowShapes
    this.cost = run.cost
    this.arrivedAtMs = run.arrivedAtMs
    this.broughtBy = run.broughtBy
    this.keys = run.keys
  }

  fill(from: number, count: number, inputs: readonly TensorData[], at: number, length: number): void {
    this.#run.fill(from, count, inputs, at, length)
  }

  example(i: number): unknown {
    return this.#run.example(i)
  }
}
