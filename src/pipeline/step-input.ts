import { RunInferenceError } from '../errors.ts'
import type { TensorSpec } from '../models/tensors.ts'
import { isKV } from '../records.ts'
import type { Split } from '../refresh/split.ts'
import type { Drop } from './functions.ts'
import { type Groups, NO_GROUP } from './grouping-stage.ts'
import type { RowGrouping } from './row-grouping.ts'
import type { RowRun } from './row-run.ts'
import type { FailurePoint, Stage } from './stage.ts'
import type { InputLayout } from './staged-run.ts'
import { Staging } from './staging.ts'
import type { WorkBlock } from './work-block.ts'

/** The key of an element that has none, where the handler takes both. */
export const NO_KEY = Symbol('no key')

export interface StepInputOptions {
  readonly keyed: boolean | 'maybe'
  /** False: elements are batches already. */
  readonly batching: boolean
  /** Of the last function before the model; −1 without one. */
  readonly lastFunction: number
  /** For each model of the handler. */
  readonly layouts: readonly InputLayout[]
  /** The model for a key; undefined: none. Missing where there is one model for all. */
  readonly cohortOf: ((key: unknown) => number | undefined) | undefined
  readonly grouping: RowGrouping
  readonly preprocessFailures: FailurePoint
  readonly inferenceFailures: FailurePoint
  readonly now: () => number
  /** Called when rows were staged: runs are collected with `takeRuns` soon after. */
  readonly onStaged: () => void
  /** By route: what ends an element that was a batch of nothing. */
  readonly drops: readonly Drop[]
}

/** The way into a model: elements from any number of routes, keys told from examples, rows staged for the batcher. */
export class StepInput {
  readonly #options: StepInputOptions
  /** By cohort; those of candidates stand behind them, once there was one. */
  readonly #stagings: Staging[]
  /** By cohort: the rows that its candidate has. Undefined while none has some. */
  #splits: Map<number, Pick<Split, 'has'>> | undefined
  /** Those with rows to collect: of a thousand models few may have some. */
  readonly #staged = new Set<Staging>()
  #stamped: WorkBlock | undefined
  #stampMs = 0

  constructor(options: StepInputOptions) {
    this.#options = options
    this.#stagings = options.layouts.map((_, cohort) => this.#stagingFor(cohort))
  }

  /** From now on these rows of a cohort are its candidate's; undefined: none. What is staged stays where it is. */
  setSplit(cohort: number, split: Pick<Split, 'has'> | undefined): void {
    const splits = new Map(this.#splits)
    if (split) splits.set(cohort, split)
    else splits.delete(cohort)
    this.#splits = splits.size > 0 ? splits : undefined
    const candidate = cohort + this.#options.layouts.length
    if (split) this.#stagings[candidate] ??= this.#stagingFor(candidate)
  }

  /** Takes one element that the functions have made; `route`: the way on which it came and goes on. */
  push(work: WorkBlock, element: number, value: unknown, route: number, groups: Groups | undefined): void {
    const { bucket, size } = groups?.take(work, element) ?? NO_GROUP
    const { keyed, batching, inferenceFailures } = this.#options
    if (!batching) {
      this.#pushBatch(work, element, value, route)
      return
    }
    let key: unknown
    let example = value
    if (keyed) {
      if (isKV(value)) {
        key = value.key
        example = value.value
      } else if (keyed === 'maybe') key = NO_KEY
      else {
        this.#refuse(
          work,
          element,
          value,
          `the handler is keyed: expected kv(key, example), got ${describeValue(value)}`,
        )
        return
      }
    }
    try {
      this.#stagingOf(this.#cohortOf(key), work, element).stage(work, element, route, example, key, bucket, size)
    } catch (error) {
      work.fail(element, inferenceFailures, -1, RunInferenceError.from(error, 'SHAPE_MISMATCH'), { value })
    }
  }

  /** Takes one element that is a batch: all its examples are one call of the model, and a failure is one of the element. */
  #pushBatch(work: WorkBlock, element: number, value: unknown, route: number): void {
    const { keyed, inferenceFailures, drops } = this.#options
    if (!Array.isArray(value)) {
      this.#refuse(work, element, value, `withNoBatching: expected an array of examples, got ${describeValue(value)}`)
      return
    }
    if (value.length === 0) {
      drops[route]!(work, element)
      return
    }
    const other = keyed === true ? value.findIndex(each => !isKV(each)) : -1
    if (other >= 0) {
      const problem = `the handler is keyed: expected an array of kv(key, example), got ${describeValue(value[other])} at ${other}`
      this.#refuse(work, element, value, problem)
      return
    }
    const isKeyed = (each: unknown) => keyed !== false && isKV(each)
    const keys = value.map(each => (isKeyed(each) ? each.key : NO_KEY))
    const examples = value.map(each => (isKeyed(each) ? each.value : each))
    try {
      const [cohort, ...others] = new Set(keys.map(key => this.#cohortOf(key)))
      if (others.length > 0) {
        this.#refuse(
          work,
          element,
          value,
          'withNoBatching: the keys of the array ask for several models; a batch has one',
        )
        return
      }
      this.#stagingOf(cohort!, work, element).stageBatch(work, element, route, examples, keys)
    } catch (error) {
      work.fail(element, inferenceFailures, -1, RunInferenceError.from(error, 'SHAPE_MISMATCH'), { value })
    }
  }

  /** What the functions before the model gave is not what the handler takes. */
  #refuse(work: WorkBlock, element: number, value: unknown, problem: string): void {
    const { lastFunction, preprocessFailures } = this.#options
    const error = new RunInferenceError('FUNCTION_THREW', problem)
    work.fail(element, preprocessFailures, lastFunction, error, { value })
  }

  /** Stages the rows of a block whose values are the input as they stand; `rows` were checked to have the right size. */
  pushDirect(work: WorkBlock, rows: Int32Array, route: number): void {
    const split = this.#splits?.get(0)
    const [others, chosen] = split ? parted(rows, row => split.has(work, row)) : [rows]
    if (others.length > 0) this.#stagings[0]!.stageDirect(work, others, route)
    if (chosen && chosen.length > 0) this.#stagings[1]!.stageDirect(work, chosen, route)
  }

  /** Bytes of a directly staged row, or undefined when rows must be staged one by one. */
  get directRowBytes(): number | undefined {
    const { batching, layouts } = this.#options
    return layouts.length === 1 && batching ? this.#stagings[0]!.directRowBytes : undefined
  }

  /** True when rows of this tensor are the input as they stand: same type, same shape. */
  takesRaw(tensor: TensorSpec): boolean {
    const spec = this.#options.layouts[0]!.specs[0]!
    return spec.dtype === tensor.dtype && spec.shape.join() === tensor.shape.join()
  }

  /** What was staged since the last call. */
  takeRuns(): RowRun[] {
    const runs: RowRun[] = []
    for (const staging of this.#staged) staging.takeRuns(runs)
    this.#staged.clear()
    this.#stamped = undefined
    return runs
  }

  #stagingFor(cohort: number): Staging {
    const { layouts, grouping, keyed, onStaged } = this.#options
    const staging: Staging = new Staging({
      ...{ layout: layouts[cohort % layouts.length]!, grouping, keyed: keyed !== false, cohort },
      bucketPrefix: cohort > 0 || layouts.length > 1 ? `model ${cohort} ` : '',
      stampOf: work => this.#stampOf(work),
      onStaged: () => {
        this.#staged.add(staging)
        onStaged()
      },
    })
    return staging
  }

  #stagingOf(cohort: number, work: WorkBlock, element: number): Staging {
    const isChosen = this.#splits?.get(cohort)?.has(work, work.rowOf(element)) === true
    return this.#stagings[isChosen ? cohort + this.#options.layouts.length : cohort]!
  }

  /** Rows of one block are queued at one time, so that no bucket is older than another by chance. */
  #stampOf(work: WorkBlock): number {
    if (this.#stamped !== work) {
      this.#stamped = work
      this.#stampMs = this.#options.now()
    }
    return this.#stampMs
  }

  #cohortOf(key: unknown): number {
    const { cohortOf } = this.#options
    if (!cohortOf) return 0
    const cohort = cohortOf(key)
    if (cohort !== undefined) return cohort
    throw new RunInferenceError(
      'KEY_UNKNOWN',
      `no mapping of the per-key handler has the key ${describeValue(key)}; add it, or filter the record out before the step`,
    )
  }
}

/** The end of one way into a step. */
export class StepEntry implements Stage {
  readonly step: StepInput
  readonly route: number
  readonly #groups: Groups | undefined
  /** What is below the step on this way, for tombstones that are forwarded past the model. */
  readonly #below: Stage

  constructor(step: StepInput, route: number, groups: Groups | undefined, below: Stage) {
    this.step = step
    this.route = route
    this.#groups = groups
    this.#below = below
  }

  push(work: WorkBlock, element: number, value: unknown): void {
    this.step.push(work, element, value, this.route, this.#groups)
  }

  pushNull(work: WorkBlock, element: number): void {
    this.#below.pushNull(work, element)
  }
}

/** Those that are not chosen, and those that are, in their order. */
function parted(rows: Int32Array, isChosen: (row: number) => boolean): readonly [Int32Array, Int32Array] {
  const chosen = new Int32Array(rows.length)
  const others = new Int32Array(rows.length)
  let count = 0
  for (const [i, row] of rows.entries()) {
    if (isChosen(row)) chosen[count++] = row
    else others[i - count] = row
  }
  return [others.subarray(0, rows.length - count), chosen.subarray(0, count)]
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : `${typeof value} ${String(value)}`
}
