import { RunInferenceError } from '../errors.ts'
import { elementsOf, type TensorData, type TensorSpec } from '../models/tensors.ts'
import type { RowRun } from './row-run.ts'
import { allocateRows, copyRows, rowView, shapeOfRow, writeRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

/** The inputs of a model, as rows are staged for it: one behind the other, in column order. */
export interface InputLayout {
  readonly names: readonly string[]
  readonly specs: readonly TensorSpec[]
  /** Examples are bare typed arrays (one unnamed input). */
  readonly unnamed: boolean
}

/** The value of one input tensor. Throws SHAPE_MISMATCH when the example is no record of tensors. */
export function inputOf(layout: InputLayout, input: number, example: unknown): unknown {
  if (layout.unnamed) return example
  if (typeof example !== 'object' || example === null) {
    const got = example === null ? 'null' : typeof example
    throw new RunInferenceError('SHAPE_MISMATCH', `expected an example { ${layout.names.join(', ')} }, got ${got}`)
  }
  return (example as Record<string, unknown>)[layout.names[input]!]
}

/** Rows that functions produced: copied once into columns, since what functions return may be reused by them. */
export class StagedRun implements RowRun {
  readonly work: WorkBlock
  readonly rows: Int32Array
  readonly shapeKey: string
  readonly rowShapes: readonly (readonly number[])[]
  readonly arrivedAtMs: number
  readonly keys: unknown[] | undefined
  count = 0
  readonly #layout: InputLayout
  readonly #columns: readonly TensorData[]
  readonly #elements: readonly number[]

  constructor(
    work: WorkBlock,
    layout: InputLayout,
    shapes: readonly (readonly number[])[],
    shapeKey: string,
    capacity: number,
    keyed: boolean,
    nowMs: number,
  ) {
    this.work = work
    this.rows = new Int32Array(capacity)
    this.rowShapes = shapes
    this.shapeKey = shapeKey
    this.arrivedAtMs = nowMs
    this.keys = keyed ? [] : undefined
    this.#layout = layout
    this.#elements = shapes.map(shape => elementsOf(shape)!)
    this.#columns = layout.specs.map((spec, i) => allocateRows(spec.dtype, capacity, this.#elements[i]!))
  }

  get full(): boolean {
    return this.count === this.rows.length
  }

  /** Stages one example. Throws SHAPE_MISMATCH and then stages nothing. */
  add(row: number, example: unknown, key: unknown): void {
    const { names, specs } = this.#layout
    for (let i = 0; i < specs.length; i++) {
      const value = inputOf(this.#layout, i, example)
      shapeOfRow(names[i]!, specs[i]!, value)
      writeRow(names[i]!, specs[i]!, value, this.#columns[i]!, this.count * this.#elements[i]!)
    }
    this.rows[this.count++] = row
    this.keys?.push(key)
  }

  fill(from: number, count: number, inputs: readonly TensorData[], at: number): void {
    for (let i = 0; i < inputs.length; i++) {
      const elements = this.#elements[i]!
      copyRows(this.#columns[i]!, from * elements, count * elements, inputs[i]!, at * elements)
    }
  }

  example(i: number): unknown {
    const { names, unnamed } = this.#layout
    if (unnamed) return this.#view(0, i)
    const example: Record<string, unknown> = {}
    for (let column = 0; column < names.length; column++) example[names[column]!] = this.#view(column, i)
    return example
  }

  #view(column: number, i: number): unknown {
    const elements = this.#elements[column]!
    return rowView(this.#columns[column]!, i * elements, elements)
  }
}
