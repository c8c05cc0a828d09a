import { RunInferenceError } from '../errors.ts'
import { BYTES_PER_ELEMENT, elementsOf, type TensorData, type TensorSpec } from '../models/tensors.ts'
import { nearestName } from '../nearest-name.ts'
import { isKV } from '../records.ts'
import type { PaddingPlan } from './padding.ts'
import type { RowCost } from './row-cost.ts'
import type { RowRun } from './row-run.ts'
import { A_KEYED_ELEMENT, allocateRows, copyRows, mismatch, rowView, shapeOfRow, writeRow } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

const SHOWN_NAMES = 20

/** The inputs of a model, as rows are staged for it: one behind the other, in column order. Masks, which are ours, are not among them. */
export interface InputLayout {
  readonly names: readonly string[]
  readonly specs: readonly TensorSpec[]
  /** Examples are bare typed arrays (one unnamed input). */
  readonly unnamed: boolean
  /** Rows of different lengths share batches. */
  readonly padding: PaddingPlan | undefined
}

/** Where rows are staged: what runs of one block and one bucket have in common. */
export interface StagingParts {
  readonly work: WorkBlock
  readonly layout: InputLayout
  readonly bucketKey: string
  readonly shapes: readonly (readonly (number | null)[])[]
  readonly capacity: number
  readonly keyed: boolean
  /** What batches ask of single rows, beside their shape. */
  readonly measured: Measured
  readonly nowMs: number
  readonly route: number
  readonly cohort: number
  /** The element that brought all rows of the run, which are one batch. */
  readonly broughtBy?: number
}

export interface Measured {
  /** `maxBytes` is set, so the bytes of strings count. */
  readonly bytes: boolean
  /** `sizeOf` is set. */
  readonly size: boolean
}

/** Rows that functions produced, on their way into one model. */
export interface StagingRun extends RowRun {
  readonly full: boolean
  /** Stages one example. Throws SHAPE_MISMATCH and then stages nothing. `size`: what `sizeOf` gave. */
  add(element: number, example: unknown, key: unknown, size: number): void
}

/** The value of one input tensor. Throws SHAPE_MISMATCH when the example is no record of tensors. */
export function inputOf(layout: InputLayout, input: number, example: unknown): unknown {
  if (layout.unnamed) return example
  if (typeof example !== 'object' || example === null) {
    const got = example === null ? 'null' : typeof example
    throw new RunInferenceError('SHAPE_MISMATCH', `expected an example { ${layout.names.join(', ')} }, got ${got}`)
  }
  const value = (example as Record<string, unknown>)[layout.names[input]!]
  if (value === undefined) throw missingInput(layout, input, example)
  return value
}

function missingInput({ names, specs }: InputLayout, input: number, example: object): RunInferenceError {
  const name = names[input]!
  const has = Object.keys(example)
  const near = nearestName(name, has)
  const shown = has.length === 0 ? 'nothing' : has.slice(0, SHOWN_NAMES).join(', ')
  const got = isKV(example) ? A_KEYED_ELEMENT : `an example that has ${shown}${near ? `. Did you mean ${near}?` : ''}`
  return mismatch(name, specs[input]!, got)
}

/** Rows that functions produced: copied once into columns, since what functions return may be reused by them. */
export class StagedRun implements StagingRun {
  readonly work: WorkBlock
  readonly route: number
  readonly cohort: number
  readonly rows: Int32Array
  readonly bucketKey: string
  readonly rowShapes: readonly (readonly number[])[]
  readonly arrivedAtMs: number
  readonly keys: unknown[] | undefined
  readonly broughtBy: number | undefined
  readonly cost: RowCost
  count = 0
  readonly #layout: InputLayout
  readonly #columns: readonly TensorData[]
  readonly #elements: readonly number[]

  constructor(parts: StagingParts) {
    const { work, layout, bucketKey, shapes, capacity, keyed, measured, nowMs, route, cohort, broughtBy } = parts
    this.work = work
    this.broughtBy = broughtBy
    this.route = route
    this.cohort = cohort
    this.rows = new Int32Array(capacity)
    this.rowShapes = shapes as readonly (readonly number[])[]
    this.bucketKey = bucketKey
    this.arrivedAtMs = nowMs
    this.keys = keyed ? [] : undefined
    this.#layout = layout
    this.#elements = this.rowShapes.map(shape => elementsOf(shape)!)
    this.#columns = layout.specs.map((spec, i) => allocateRows(spec.dtype, capacity, this.#elements[i]!))
    this.cost = {
      rowBytes: layout.specs.reduce((sum, spec, i) => sum + bytesOf(spec, this.#elements[i]!), 0),
      stringBytes: measured.bytes && hasStrings(layout) ? new Float64Array(capacity) : undefined,
      sizes: measured.size ? new Float64Array(capacity) : undefined,
      lengths: undefined,
      padding: undefined,
    }
  }

  get full(): boolean {
    return this.count === this.rows.length
  }

  add(element: number, example: unknown, key: unknown, size: number): void {
    const { names, specs } = this.#layout
    const { sizes, stringBytes } = this.cost
    for (let i = 0; i < specs.length; i++) {
      const value = inputOf(this.#layout, i, example)
      shapeOfRow(names[i]!, specs[i]!, value)
      writeRow(names[i]!, specs[i]!, value, this.#columns[i]!, this.count * this.#elements[i]!)
    }
    if (sizes) sizes[this.count] = size
    if (stringBytes) stringBytes[this.count] = stringBytesOf(this.#columns, this.#elements, this.count)
    this.rows[this.count++] = element
    this.keys?.push(key)
  }

  fill(from: number, count: number, inputs: readonly TensorData[], at: number): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const elements = this.#elements[i]!
      copyRows(this.#columns[i]!, from * elements, count * elements, inputs[i]!, at * elements)
    }
  }

  example(i: number): unknown {
    return exampleOf(this.#layout, column => {
      const elements = this.#elements[column]!
      return rowView(this.#columns[column]!, i * elements, elements, this.#layout.specs[column]!.dtype)
    })
  }
}

/** What entered the model, from its columns. */
export function exampleOf({ names, unnamed }: InputLayout, view: (column: number) => unknown): unknown {
  if (unnamed) return view(0)
  const example: Record<string, unknown> = {}
  for (let column = 0; column < names.length; column++) example[names[column]!] = view(column)
  return example
}

/** Bytes of so many elements; 0 for strings, which are counted one by one where somebody asks. */
export function bytesOf({ dtype }: TensorSpec, elements: number): number {
  return dtype === 'string' || dtype === 'value' ? 0 : elements * BYTES_PER_ELEMENT[dtype]
}

export function hasStrings({ specs }: InputLayout): boolean {
  return specs.some(spec => spec.dtype === 'string')
}

/** UTF-8 bytes of the strings of one row. */
export function stringBytesOf(columns: readonly TensorData[], elementsOfRow: readonly number[], row: number): number {
  let bytes = 0
  for (const [column, data] of columns.entries()) {
    if (!Array.isArray(data)) continue
    const elements = elementsOfRow[column]!
    for (let i = row * elements; i < (row + 1) * elements; i++) bytes += Buffer.byteLength(data[i] as string)
  }
  return bytes
}
