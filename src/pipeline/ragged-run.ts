import { RunInferenceError } from '../errors.ts'
import { elementsOf, type TensorData } from '../models/tensors.ts'
import { type PaddedInput, type PaddingPlan, writeMask, writePadded } from './padding.ts'
import type { RowCost } from './row-cost.ts'
import {
  bytesOf,
  exampleOf,
  hasStrings,
  type InputLayout,
  inputOf,
  type StagingParts,
  type StagingRun,
  stringBytesOf,
} from './staged-run.ts'
import { allocateRows, copyRows, rowView, shapeOfRow, writeRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

/** Rows of different lengths that a batch pads: staged one behind the other as they are, padded when a slot is filled. */
export class RaggedRun implements StagingRun {
  readonly work: WorkBlock
  readonly route: number
  readonly cohort: number
  readonly rows: Int32Array
  readonly bucketKey: string
  readonly rowShapes: readonly (readonly (number | null)[])[]
  readonly arrivedAtMs: number
  readonly keys: unknown[] | undefined
  readonly broughtBy: number | undefined
  readonly cost: RowCost & { readonly lengths: Int32Array }
  count = 0
  readonly #layout: InputLayout
  readonly #plan: PaddingPlan
  /** Per column: how it is padded, if it is. */
  readonly #padded: readonly (PaddedInput | undefined)[]
  readonly #columns: TensorData[]
  /** Elements of a row in a column; in a padded one, for each step of its length. */
  readonly #elements: readonly number[]
  /** Sum of the lengths of the rows before each row. */
  readonly #starts: Int32Array
  /** Steps for which the padded columns have room. */
  #room: number

  constructor(parts: StagingParts) {
    const { work, layout, bucketKey, shapes, capacity, keyed, measured, nowMs, route, cohort, broughtBy } = parts
    this.work = work
    this.broughtBy = broughtBy
    this.route = route
    this.cohort = cohort
    this.rows = new Int32Array(capacity)
    this.rowShapes = shapes
    this.bucketKey = bucketKey
    this.arrivedAtMs = nowMs
    this.keys = keyed ? [] : undefined
    this.#layout = layout
    this.#plan = layout.padding!
    this.#padded = layout.specs.map((_, i) => this.#plan.inputs.find(({ index }) => index === i))
    this.#elements = this.#padded.map((padded, i) => (padded ? padded.outer * padded.inner : elementsOf(shapes[i]!)!))
    this.#room = capacity
    this.#columns = layout.specs.map((spec, i) => allocateRows(spec.dtype, capacity, this.#elements[i]!))
    this.#starts = new Int32Array(capacity + 1)
    this.cost = {
      rowBytes: layout.specs.reduce(
        (sum, spec, i) => sum + (this.#padded[i] ? 0 : bytesOf(spec, this.#elements[i]!)),
        0,
      ),
      stringBytes: measured.bytes && hasStrings(layout) ? new Float64Array(capacity) : undefined,
      sizes: measured.size ? new Float64Array(capacity) : undefined,
      lengths: new Int32Array(capacity),
      padding: this.#plan,
    }
  }

  get full(): boolean {
    return this.count === this.rows.length
  }

  add(element: number, example: unknown, key: unknown, size: number): void {
    const { names, specs } = this.#layout
    const length = lengthOf(this.#layout, example)
    const start = this.#starts[this.count]!
    this.#ensure(start + length)
    for (let i = 0; i < specs.length; i++) {
      const value = inputOf(this.#layout, i, example)
      if (!this.#padded[i]) shapeOfRow(names[i]!, specs[i]!, value)
      const position = this.#padded[i] ? start : this.count
      writeRow(names[i]!, specs[i]!, value, this.#columns[i]!, position * this.#elements[i]!)
    }
    this.#starts[this.count + 1] = start + length
    this.cost.lengths[this.count] = length
    const { sizes, stringBytes } = this.cost
    if (sizes) sizes[this.count] = size
    if (stringBytes) stringBytes[this.count] = stringBytesOf(this.#columns, this.#elements, this.count)
    this.rows[this.count++] = element
    this.keys?.push(key)
  }

  fill(from: number, count: number, inputs: readonly TensorData[], at: number, length: number): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const padded = this.#padded[i]
      const elements = this.#elements[i]!
      const column = this.#columns[i]!
      if (!padded) copyRows(column, from * elements, count * elements, inputs[i]!, at * elements)
      else {
        for (let k = 0; k < count; k++) {
          const start = this.#starts[from + k]! * elements
          writePadded(padded, column, start, this.cost.lengths[from + k]!, inputs[i]!, at + k, length)
        }
      }
    }
    for (const mask of this.#plan.masks) {
      for (let k = 0; k < count; k++) writeMask(inputs[mask]!, at + k, this.cost.lengths[from + k]!, length)
    }
  }

  example(i: number): unknown {
    return exampleOf(this.#layout, column => {
      const elements = this.#elements[column]!
      return this.#padded[column]
        ? rowView(this.#columns[column]!, this.#starts[i]! * elements, this.cost.lengths[i]! * elements)
        : rowView(this.#columns[column]!, i * elements, elements)
    })
  }

  /** Room for so many steps in the padded columns; views that were given before stay as they are. */
  #ensure(steps: number): void {
    if (steps <= this.#room) return
    this.#room = Math.max(steps, this.#room * 2)
    for (const [i, padded] of this.#padded.entries()) {
      if (!padded) continue
      const old = this.#columns[i]!
      const grown = allocateRows(this.#layout.specs[i]!.dtype, this.#room, this.#elements[i]!)
      copyRows(old, 0, this.#starts[this.count]! * this.#elements[i]!, grown, 0)
      this.#columns[i] = grown
    }
  }
}

/** The length of a row's open dimension, which all its padded inputs share. Throws SHAPE_MISMATCH. */
export function lengthOf(layout: InputLayout, example: unknown): number {
  const { inputs, fixedLength } = layout.padding!
  let length: number | undefined
  let named = ''
  for (const { index, axis } of inputs) {
    const name = layout.names[index]!
    const own = shapeOfRow(name, layout.specs[index]!, inputOf(layout, index, example))[axis]!
    if (length !== undefined && own !== length) {
      throw new RunInferenceError(
        'SHAPE_MISMATCH',
        `padded inputs of one row must have one length: "${named}" has ${length}, "${name}" has ${own}`,
      )
    }
    length = own
    named = name
  }
  if (fixedLength !== undefined && length! > fixedLength) {
    throw new RunInferenceError(
      'SHAPE_MISMATCH',
      `a row has length ${length}, but the model takes ${fixedLength} at most`,
    )
  }
  return length!
}
