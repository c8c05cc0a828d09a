/**
 * A copy of rows of a batch that the stable model has scored: what the shadow is given, what its results are compared with, and where
 * the rows come from. Nothing of it is shared with the pipeline.
 */
import type { BatchOutputs, BatchSlot } from '../models/executor.ts'
import { pack, unpack } from '../models/packed-values.ts'
import { elementsOf, type NumericArray, type TensorData } from '../models/tensors.ts'
import { type Batch, rangeOf } from '../pipeline/row-run.ts'
import { inferenceOf, type OutputLayout } from '../pipeline/step-output.ts'
import { copyRows } from '../pipeline/tensor-rows.ts'
import { type CopiedSources, copySources } from './copied-sources.ts'
import type { ShadowBatch } from './shadow-queue.ts'
import type { Split } from './split.ts'

/** Rows [from, from + rows) of a batch that have run; see `BatchTap`. */
export interface RanRows {
  readonly batch: Batch
  readonly inputs: readonly TensorData[]
  readonly from: number
  readonly rows: number
  readonly outputs: BatchOutputs
}

/** Positions in the batch of those rows whose records are in, in order. */
export function chosenRows({ batch, from, rows }: RanRows, split: Pick<Split, 'has'>): Int32Array {
  const chosen = new Int32Array(rows)
  let count = 0
  let position = from
  for (const { run, from: first, to } of rangeOf(batch.segments, from, rows)) {
    for (let i = first; i < to; i++, position++)
      if (split.has(run.work, run.work.rowOf(run.rows[i]!))) chosen[count++] = position
  }
  return chosen.subarray(0, count)
}

export class ShadowCopy implements ShadowBatch {
  readonly rows: number
  readonly bytes: number
  /** What the results of the stable model are labelled with. */
  readonly stableId: string
  readonly sources: CopiedSources
  readonly #layout: OutputLayout
  readonly #rowShapes: Batch['rowShapes']
  /** Examples of a handler that a user wrote are packed. */
  readonly #inputs: readonly TensorData[] | Uint8Array
  readonly #outputs: BatchOutputs['outputs'] | Uint8Array
  #results: readonly unknown[] | undefined

  /** `chosen`: their positions in the batch; undefined: all. Throws NOT_CLONEABLE. */
  constructor(ran: RanRows, layout: OutputLayout, chosen: Int32Array | undefined) {
    const { batch, inputs, from, rows, outputs } = ran
    const all: Rows = { from, rows, chosen }
    // The outputs begin with the first of the rows.
    const given: Rows = { from: 0, rows, chosen: chosen?.map(position => position - from) }
    this.rows = chosen?.length ?? rows
    this.stableId = outputs.modelId
    this.#layout = layout
    this.#rowShapes = batch.rowShapes
    if (layout.kind === 'result') {
      this.#inputs = pack(copyOf(inputs[0]!, 1, all) as readonly unknown[], 'example', outputs.modelId)
      this.#outputs = pack(copyOf(outputs.outputs[0]!.data, 1, given) as readonly unknown[], 'result', outputs.modelId)
    } else {
      this.#inputs = inputs.map((data, i) => copyOf(data, elementsOf(batch.rowShapes[i]!)!, all))
      this.#outputs = outputs.outputs.map(({ data, rowShape }) => {
        return { data: copyOf(data, elementsOf(rowShape)!, given), rowShape }
      })
    }
    this.sources = copySources(ran, chosen)
    this.bytes = bytesOf(this.#inputs) + bytesOf(this.#outputs) + this.sources.bytes
  }

  /** Throws DEVICE_MEMORY. */
  fill(slot: BatchSlot): void {
    const targets = slot.prepare(this.rows, this.#rowShapes)
    const inputs = this.#inputs instanceof Uint8Array ? [unpack(this.#inputs) as TensorData] : this.#inputs
    for (const [i, data] of inputs.entries()) copyRows(data, 0, data.length, targets[i]!, 0)
  }

  /** What the stable model says of row i. */
  stable(i: number): unknown {
    if (!(this.#outputs instanceof Uint8Array)) return inferenceOf(this.#layout, this.#outputs, i)
    this.#results ??= unpack(this.#outputs)
    return inferenceIn(this.#results[i])
  }

  /** What the shadow says of the row at this position of its outputs. */
  shadow({ outputs }: BatchOutputs, position: number): unknown {
    const said = inferenceOf(this.#layout, outputs, position)
    return this.#layout.kind === 'result' ? inferenceIn(said) : said
  }
}

interface Rows {
  readonly from: number
  readonly rows: number
  readonly chosen: Int32Array | undefined
}

function copyOf(data: TensorData, elements: number, { from, rows, chosen }: Rows): TensorData {
  if (!chosen) return data.slice(from * elements, (from + rows) * elements) as TensorData
  const size = chosen.length * elements
  const copy: TensorData = Array.isArray(data)
    ? new Array<string>(size)
    : new (data.constructor as new (length: number) => NumericArray)(size)
  for (const [i, position] of chosen.entries()) copyRows(data, position * elements, elements, copy, i * elements)
  return copy
}

/** Of a handler's own prediction the inference: what else is in it (example, model id) is no news, or differs always. */
function inferenceIn(result: unknown): unknown {
  const isPrediction =
    typeof result === 'object' && result !== null && 'inference' in result && 'modelId' in result && 'example' in result
  return isPrediction ? result.inference : result
}

function bytesOf(data: readonly TensorData[] | BatchOutputs['outputs'] | Uint8Array): number {
  if (data instanceof Uint8Array) return data.byteLength
  let bytes = 0
  for (const each of data) bytes += bytesOfData('rowShape' in each ? each.data : each)
  return bytes
}

function bytesOfData(data: TensorData): number {
  if (ArrayBuffer.isView(data)) return data.byteLength
  let bytes = 0
  // Two bytes a character, and the string itself.
  for (const text of data as readonly string[]) bytes += 2 * text.length + 32
  return bytes
}
