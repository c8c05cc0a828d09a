import { RunInferenceError } from '../errors.ts'
import type { UserFunction } from '../models/model-handler.ts'
import type { TensorSpec } from '../models/tensors.ts'
import { isKV } from '../records.ts'
import { DirectRun, rowBytesOf } from './direct-run.ts'
import { applyFunction } from './functions.ts'
import { lengthOf, RaggedRun } from './ragged-run.ts'
import type { RowGrouping } from './row-grouping.ts'
import type { RowRun } from './row-run.ts'
import type { FailurePoint, Stage } from './stage.ts'
import { type InputLayout, inputOf, StagedRun, type StagingRun } from './staged-run.ts'
import { shapeOfRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

export interface StepInputOptions {
  readonly keyed: boolean
  readonly preprocess: readonly UserFunction[]
  readonly layout: InputLayout
  readonly grouping: RowGrouping
  readonly preprocessFailures: FailurePoint
  readonly inferenceFailures: FailurePoint
  /** The sinks below, for tombstones that are forwarded past the model. */
  readonly below: Stage
  readonly now: () => number
  /** Called when rows were staged: runs are collected with `takeRuns` soon after. */
  readonly onStaged: () => void
}

/** Where rows of one block fall into several buckets, runs begin small and grow, or each bucket would take room for all rows. */
const FIRST_CAPACITY = 16
const MAX_CAPACITY = 1024

/** preprocess → staged rows: the way into a model. */
export class StepInput implements Stage {
  readonly #options: StepInputOptions
  #open = new Map<string, StagingRun>()
  #runs: RowRun[] = []
  /** Set when no dimension is open, but those that are padded: then no shape is worked out per row. */
  readonly #fixedShapes: readonly (readonly (number | null)[])[] | undefined
  readonly #fixedKey: string
  readonly #manyBuckets: boolean
  /** Rows of one block are queued at one time, so that no bucket is older than another by chance. */
  #stamped: WorkBlock | undefined
  #stampMs = 0

  constructor(options: StepInputOptions) {
    this.#options = options
    const { specs, padding } = options.layout
    const fixed = specs.every((spec, i) => isPadded(options.layout, i) || !spec.shape.includes(null))
    this.#fixedShapes = fixed ? specs.map(spec => spec.shape) : undefined
    this.#fixedKey = fixed ? shapeKeyOf(this.#fixedShapes!) : ''
    this.#manyBuckets = !fixed || padding !== undefined || options.grouping.groups
  }

  push(work: WorkBlock, row: number, value: unknown): void {
    const { keyed, preprocess, grouping, preprocessFailures, inferenceFailures } = this.#options
    let bucket = ''
    let size = 0
    try {
      if (grouping.bucketOf) bucket = grouping.bucketOf(value)
      if (grouping.sizeOf) size = grouping.sizeOf(value)
    } catch (error) {
      work.fail(row, preprocessFailures, -1, RunInferenceError.from(error, 'FUNCTION_THREW'))
      return
    }
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
      this.#stage(work, row, example, key, bucket, size)
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
    this.#runs.push(new DirectRun(work, rows, spec, this.#fixedKey, this.#stampOf(work)))
    this.#options.onStaged()
  }

  /** Bytes of a directly staged row, or undefined when rows must be staged one by one. */
  get directRowBytes(): number | undefined {
    const { keyed, preprocess, layout, grouping } = this.#options
    const [spec] = layout.specs
    if (
      keyed ||
      grouping.groups ||
      grouping.sizeOf ||
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
    this.#stamped = undefined
    return runs
  }

  #stage(work: WorkBlock, row: number, example: unknown, key: unknown, bucket: string, size: number): void {
    const { layout, grouping, keyed, onStaged } = this.#options
    const shapes = this.#fixedShapes ?? this.#shapesOf(example)
    let bucketKey = this.#fixedShapes ? this.#fixedKey : shapeKeyOf(shapes)
    if (bucket !== '') bucketKey += `|${bucket}`
    if (grouping.bucketOfLength) bucketKey += `|${grouping.bucketOfLength(lengthOf(layout, example))}`
    let run = this.#open.get(bucketKey)
    if (!run || run.work !== work || run.full) {
      const grown = run?.work === work ? run.rows.length * 2 : FIRST_CAPACITY
      if (run) this.#runs.push(run)
      const left = Math.max(1, work.block.count - row)
      const capacity = this.#manyBuckets ? Math.min(left, grown, MAX_CAPACITY) : left
      const { measured } = grouping
      const parts = { work, layout, bucketKey, shapes, capacity, keyed, measured, nowMs: this.#stampOf(work) }
      run = layout.padding ? new RaggedRun(parts) : new StagedRun(parts)
      this.#open.set(bucketKey, run)
      onStaged()
    }
    run.add(row, example, key, size)
  }

  #stampOf(work: WorkBlock): number {
    if (this.#stamped !== work) {
      this.#stamped = work
      this.#stampMs = this.#options.now()
    }
    return this.#stampMs
  }

  #shapesOf(example: unknown): readonly (readonly (number | null)[])[] {
    const { layout } = this.#options
    return layout.specs.map((spec, i) => {
      const shape = shapeOfRow(layout.names[i]!, spec, inputOf(layout, i, example))
      return isPadded(layout, i) ? spec.shape : shape
    })
  }
}

function isPadded({ padding }: InputLayout, input: number): boolean {
  return padding?.inputs.some(({ index }) => index === input) ?? false
}

function shapeKeyOf(shapes: readonly (readonly (number | null)[])[]): string {
  return shapes.map(shape => shape.map(size => size ?? '?').join('x')).join(';')
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : `${typeof value} ${String(value)}`
}
