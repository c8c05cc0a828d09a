import { RunInferenceError } from '../errors.ts'
import type { UserFunction } from '../models/model-handler.ts'
import type { TensorSpec } from '../models/tensors.ts'
import { isKV } from '../records.ts'
import { DirectRun, rowBytesOf } from './direct-run.ts'
import { applyFunction } from './functions.ts'
import type { RowRun } from './row-run.ts'
import type { FailurePoint, Stage } from './stage.ts'
import { type InputLayout, inputOf, StagedRun } from './staged-run.ts'
import { shapeOfRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

export interface StepInputOptions {
  readonly keyed: boolean
  readonly preprocess: readonly UserFunction[]
  readonly layout: InputLayout
  readonly preprocessFailures: FailurePoint
  readonly inferenceFailures: FailurePoint
  /** The sinks below, for tombstones that are forwarded past the model. */
  readonly below: Stage
  readonly now: () => number
  /** Called when rows were staged: runs are collected with `takeRuns` soon after. */
  readonly onStaged: () => void
}

/** preprocess → staged rows: the way into a model. */
export class StepInput implements Stage {
  readonly #options: StepInputOptions
  #open = new Map<string, StagedRun>()
  #runs: RowRun[] = []
  /** Set when no dimension is open: then no shape is worked out per row. */
  readonly #fixedShapes: readonly (readonly number[])[] | undefined
  readonly #fixedKey: string

  constructor(options: StepInputOptions) {
    this.#options = options
    const { specs } = options.layout
    const fixed = specs.every(spec => !spec.shape.includes(null))
    this.#fixedShapes = fixed ? specs.map(spec => spec.shape as readonly number[]) : undefined
    this.#fixedKey = fixed ? shapeKeyOf(this.#fixedShapes!) : ''
  }

  push(work: WorkBlock, row: number, value: unknown): void {
    const { keyed, preprocess, preprocessFailures, inferenceFailures } = this.#options
    let example = value
    for (let i = 0; i < preprocess.length; i++) {
      try {
        example = applyFunction(preprocess[i]!, example, 'FUNCTION_THREW')
      } catch (error) {
        work.fail(
          row,
          preprocessFailures,
          i,
          RunInferenceError.from(error, 'FUNCTION_THREW', `preprocess function ${i}`),
        )
        return
      }
    }
    let key: unknown
    if (keyed) {
      if (!isKV(example)) {
        const last = preprocess.length - 1
        const problem = `the handler is keyed: expected kv(key, example), got ${describeValue(example)}`
        work.fail(row, preprocessFailures, last, new RunInferenceError('FUNCTION_THREW', problem))
        return
      }
      key = example.key
      example = example.value
    }
    try {
      this.#stage(work, row, example, key)
    } catch (error) {
      work.fail(row, inferenceFailures, -1, RunInferenceError.from(error, 'SHAPE_MISMATCH'))
    }
  }

  pushNull(work: WorkBlock, row: number): void {
    this.#options.below.pushNull(work, row)
  }

  /** Stages the rows of a block whose values are the input as they stand; `rows` were checked to have the right size. */
  pushDirect(work: WorkBlock, rows: Int32Array): void {
    const spec = this.#options.layout.specs[0]!
    this.#runs.push(new DirectRun(work, rows, spec, shapeKeyOf([spec.shape as readonly number[]]), this.#options.now()))
    this.#options.onStaged()
  }

  /** Bytes of a directly staged row, or undefined when rows must be staged one by one. */
  get directRowBytes(): number | undefined {
    const { keyed, preprocess, layout } = this.#options
    const [spec] = layout.specs
    if (
      keyed ||
      preprocess.length > 0 ||
      !layout.unnamed ||
      !spec ||
      spec.dtype === 'string' ||
      spec.shape.includes(null)
    ) {
      return undefined
    }
    return rowBytesOf(spec)
  }

  /** True when rows of this tensor are the input as they stand: same type, same shape. */
  takesRaw(tensor: TensorSpec): boolean {
    const spec = this.#options.layout.specs[0]!
    return spec.dtype === tensor.dtype && spec.shape.join() === tensor.shape.join()
  }

  /** What was staged since the last call. */
  takeRuns(): RowRun[] {
    const runs = this.#runs
    for (const run of this.#open.values()) runs.push(run)
    this.#open = new Map()
    this.#runs = []
    return runs
  }

  #stage(work: WorkBlock, row: number, example: unknown, key: unknown): void {
    const { layout, keyed, now, onStaged } = this.#options
    const shapes =
      this.#fixedShapes ??
      layout.specs.map((spec, i) => shapeOfRow(layout.names[i]!, spec, inputOf(layout, i, example)))
    const shapeKey = this.#fixedShapes ? this.#fixedKey : shapeKeyOf(shapes)
    let run = this.#open.get(shapeKey)
    if (!run || run.work !== work || run.full) {
      if (run) this.#runs.push(run)
      run = new StagedRun(work, layout, shapes, shapeKey, Math.max(1, work.block.count - row), keyed, now())
      this.#open.set(shapeKey, run)
      onStaged()
    }
    run.add(row, example, key)
  }
}

function shapeKeyOf(shapes: readonly (readonly number[])[]): string {
  return shapes.map(shape => shape.join('x')).join(';')
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : `${typeof value} ${String(value)}`
}
