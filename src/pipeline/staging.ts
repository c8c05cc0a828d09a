import { RunInferenceError } from '../errors.ts'
import { DirectRun, rowBytesOf } from './direct-run.ts'
import { lengthOf, RaggedRun } from './ragged-run.ts'
import type { RowGrouping } from './row-grouping.ts'
import type { RowRun } from './row-run.ts'
import { type InputLayout, inputOf, StagedRun, type StagingRun } from './staged-run.ts'
import { shapeOfRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

/** Where rows of one block fall into several buckets, runs begin small and grow, or each bucket would take room for all rows. */
const FIRST_CAPACITY = 16
const MAX_CAPACITY = 1024

export interface StagingOptions {
  readonly layout: InputLayout
  readonly grouping: RowGrouping
  readonly keyed: boolean
  /** Which model of the step; those of candidates stand behind its own. */
  readonly cohort: number
  /** Begins every bucket: rows of two models never share a batch. */
  readonly bucketPrefix: string
  /** When the rows of a block are queued. */
  readonly stampOf: (work: WorkBlock) => number
  /** Called when rows were staged: runs are collected with `takeRuns` soon after. */
  readonly onStaged: () => void
}

/** Rows of one model that wait to be collected, in runs of one block, one way and one bucket. */
export class Staging {
  readonly #options: StagingOptions
  #open = new Map<string, StagingRun>()
  #runs: RowRun[] = []
  /** Set when no dimension is open, but those that are padded: then no shape is worked out per row. */
  readonly #fixedShapes: readonly (readonly (number | null)[])[] | undefined
  readonly #fixedKey: string
  readonly #manyBuckets: boolean
  /** Rows of a block that were collected together last: all of them behind a source, few behind other steps and slow functions. */
  #usualRows = Number.POSITIVE_INFINITY
  #lastBatch = 0

  constructor(options: StagingOptions) {
    this.#options = options
    const { specs, padding } = options.layout
    const fixed = specs.every((spec, i) => isPadded(options.layout, i) || !spec.shape.includes(null))
    this.#fixedShapes = fixed ? specs.map(spec => spec.shape) : undefined
    this.#fixedKey = fixed ? this.#keyOf(this.#fixedShapes!) : ''
    this.#manyBuckets = !fixed || padding !== undefined || options.grouping.groups || options.bucketPrefix !== ''
  }

  /** Throws SHAPE_MISMATCH, and then stages nothing. `bucket`, `size`: what `bucketBy` and `sizeOf` said. */
  stage(
    work: WorkBlock,
    element: number,
    route: number,
    example: unknown,
    key: unknown,
    bucket: string,
    size: number,
  ): void {
    const { layout, grouping, keyed, cohort, onStaged } = this.#options
    const shapes = this.#fixedShapes ?? this.#shapesOf(example)
    let bucketKey = this.#fixedShapes ? this.#fixedKey : this.#keyOf(shapes)
    if (bucket !== '') bucketKey += `|${bucket}`
    if (grouping.bucketOfLength) bucketKey += `|${grouping.bucketOfLength(lengthOf(layout, example))}`
    const openKey = route === 0 ? bucketKey : `${route} ${bucketKey}`
    let run = this.#open.get(openKey)
    if (!run || run.work !== work || run.full) {
      const grown = run?.work === work ? run.rows.length * 2 : Math.min(FIRST_CAPACITY, this.#usualRows)
      if (run) this.#runs.push(run)
      const left = Math.max(1, work.elements - element)
      const usual = this.#manyBuckets ? Math.min(grown, MAX_CAPACITY) : Math.max(grown, 2 * this.#usualRows)
      const capacity = Math.min(left, usual)
      const { measured } = grouping
      const nowMs = this.#options.stampOf(work)
      const parts = { work, layout, bucketKey, shapes, capacity, keyed, measured, nowMs, route, cohort }
      run = layout.padding ? new RaggedRun(parts) : new StagedRun(parts)
      this.#open.set(openKey, run)
      onStaged()
    }
    run.add(element, example, key, size)
  }

  /**
   * Stages the examples that one element brought with it as a batch of their own; at least one. `keys`: theirs, if they have some.
   * Throws SHAPE_MISMATCH, also when their shapes differ, and then stages nothing.
   */
  stageBatch(work: WorkBlock, element: number, route: number, examples: readonly unknown[], keys: unknown[]): void {
    const { layout, grouping, keyed, cohort, bucketPrefix, onStaged } = this.#options
    const shapes = this.#fixedShapes ?? this.#shapesOf(examples[0])
    const shapeKey = this.#keyOf(shapes)
    const bucketKey = `${bucketPrefix}batch ${++this.#lastBatch}`
    const capacity = examples.length
    const { measured } = grouping
    const nowMs = this.#options.stampOf(work)
    const parts = {
      ...{ work, layout, bucketKey, shapes, capacity, keyed, measured, nowMs, route, cohort },
      broughtBy: element,
    }
    const run = layout.padding ? new RaggedRun(parts) : new StagedRun(parts)
    const first = work.elements
    examples.forEach((example, i) => {
      if (!this.#fixedShapes && this.#keyOf(this.#shapesOf(example)) !== shapeKey)
        throw this.#differs(i, shapes, example)
      run.add(first + i, example, keys[i], 0)
    })
    work.addChildren(element, capacity)
    this.#runs.push(run)
    onStaged()
  }

  /** Stages the rows of a block whose values are the input as they stand; `rows` were checked to have the right size. */
  stageDirect(work: WorkBlock, rows: Int32Array, route: number): void {
    const { cohort, layout, onStaged, stampOf } = this.#options
    this.#runs.push(new DirectRun(work, rows, layout.specs[0]!, this.#fixedKey, stampOf(work), route, cohort))
    onStaged()
  }

  /** Bytes of a directly staged row, or undefined when rows must be staged one by one. */
  get directRowBytes(): number | undefined {
    const { keyed, layout, grouping } = this.#options
    const [spec] = layout.specs
    if (keyed || grouping.groups || grouping.sizeOf || !layout.unnamed || !spec) return undefined
    return spec.dtype === 'string' || spec.dtype === 'value' || spec.shape.includes(null) ? undefined : rowBytesOf(spec)
  }

  /** What was staged since the last call. */
  takeRuns(into: RowRun[]): void {
    const runs = [...this.#runs, ...this.#open.values()]
    if (runs.length === 0) return
    // A run has none where its only row had a wrong shape.
    this.#usualRows = runs.reduce((most, { count }) => Math.max(most, count), 1)
    // One by one: there may be more than a call takes arguments.
    for (const run of runs) into.push(run)
    if (this.#open.size > 0) this.#open = new Map()
    this.#runs = []
  }

  #shapesOf(example: unknown): readonly (readonly (number | null)[])[] {
    const { layout } = this.#options
    return layout.specs.map((spec, i) => {
      const shape = shapeOfRow(layout.names[i]!, spec, inputOf(layout, i, example))
      return isPadded(layout, i) ? spec.shape : shape
    })
  }

  #differs(i: number, shapes: readonly (readonly (number | null)[])[], example: unknown): RunInferenceError {
    const show = (all: typeof shapes) => all.map(shape => `[${shape.join(',')}]`).join(' ')
    const what = `example ${i} of the batch has the shape ${show(this.#shapesOf(example))}, and the first one has ${show(shapes)}`
    return new RunInferenceError('SHAPE_MISMATCH', `${what}; a batch that a record brings is one call of the model`)
  }

  #keyOf(shapes: readonly (readonly (number | null)[])[]): string {
    return this.#options.bucketPrefix + shapes.map(shape => shape.map(size => size ?? '?').join('x')).join(';')
  }
}

function isPadded({ padding }: InputLayout, input: number): boolean {
  return padding?.inputs.some(({ index }) => index === input) ?? false
}
