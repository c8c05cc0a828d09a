import { RangeCopier, viewOf } from '../kafka/range-copier.ts'
import { BYTES_PER_ELEMENT, elementsOf, type TensorData, type TensorSpec } from '../models/tensors.ts'
import type { RowCost } from './row-cost.ts'
import type { RowRun } from './row-run.ts'
import { allocateRows } from './tensor-rows.ts'
import type { WorkBlock } from './work-block.ts'

/** Rows whose record values already are the model's input bytes: they go from the fetch buffer to the slot in one copy. */
export class DirectRun implements RowRun {
  readonly work: WorkBlock
  readonly route: number
  readonly cohort: number
  readonly count: number
  readonly rows: Int32Array
  readonly bucketKey: string
  readonly rowShapes: readonly (readonly number[])[]
  readonly arrivedAtMs: number
  readonly keys = undefined
  readonly cost: RowCost
  readonly #spec: TensorSpec
  readonly #copier = new RangeCopier()

  /** `rows` holds the source rows whose values have exactly the bytes of the spec. */
  constructor(
    work: WorkBlock,
    rows: Int32Array,
    spec: TensorSpec,
    bucketKey: string,
    nowMs: number,
    route = 0,
    cohort = 0,
  ) {
    this.work = work
    this.route = route
    this.cohort = cohort
    this.rows = rows
    this.count = rows.length
    this.#spec = spec
    this.bucketKey = bucketKey
    this.rowShapes = [spec.shape as readonly number[]]
    this.arrivedAtMs = nowMs
    const rowBytes = rowBytesOf(spec)
    this.cost = { rowBytes, stringBytes: undefined, sizes: undefined, lengths: undefined, padding: undefined }
  }

  fill(from: number, count: number, inputs: readonly TensorData[], at: number): void {
    const input = inputs[0] as Float32Array
    const target = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
    const view = viewOf(target)
    const { block } = this.work
    const { rowBytes } = this.cost
    let position = at * rowBytes
    for (let i = from; i < from + count; i++) {
      const start = block.valueStart(this.rows[i]!)
      position = this.#copier.copy(block.bytes, start, start + rowBytes, target, view, position)
    }
  }

  example(i: number): unknown {
    const copy = allocateRows(this.#spec.dtype, 1, elementsOf(this.#spec.shape)!) as Float32Array
    const start = this.work.block.valueStart(this.rows[i]!)
    new Uint8Array(copy.buffer).set(this.work.block.bytes.subarray(start, start + this.cost.rowBytes))
    return copy
  }
}

/** Bytes of one row of a fixed shape. */
export function rowBytesOf(spec: TensorSpec): number {
  return elementsOf(spec.shape)! * BYTES_PER_ELEMENT[spec.dtype as 'float32']
}
