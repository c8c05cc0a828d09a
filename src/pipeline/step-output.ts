import type { BatchOutputs } from '../models/executor.ts'
import { elementsOf } from '../models/tensors.ts'
import { kv, type PredictionResult, predictionResult } from '../records.ts'
import type { Delivery } from './functions.ts'
import { ownRows } from './kept-results.ts'
import type { RowRun, RunSegment } from './row-run.ts'
import type { SinkStage } from './sink-stage.ts'
import type { Spare, Stage } from './stage.ts'
import { NO_KEY } from './step-input.ts'
import { rowView } from './tensor-rows.ts'

/** How results of one model become inferences. */
export interface OutputLayout {
  /** `named`: records of outputs by declared name; `unnamed`: the bare row of the first one; `result`: what the handler gave, as it is. */
  readonly kind: 'named' | 'unnamed' | 'result'
  /** Declared output names. */
  readonly names: readonly string[]
}

/** Where results go on one way through the graph. */
export interface OutputRoute {
  /** What takes the results one by one; undefined when all branches take rows as bytes. */
  readonly next: Stage | undefined
  /** Sinks that copy rows of one output (by position) straight from the model. */
  readonly direct: readonly { readonly sink: SinkStage; readonly output: number }[]
}

export interface StepOutputOptions {
  readonly keyed: boolean | 'maybe'
  /** For each model of the handler. */
  readonly layouts: readonly OutputLayout[]
  /** By route; the compiler adds to it until the graph is built. */
  readonly routes: readonly OutputRoute[]
  /** Told whose results are delivered, for the functions behind the model. */
  readonly delivery: Delivery
  /** Somebody looks at results after their slot was given back. */
  readonly keepsResults: boolean
}

/** A result as functions see it. The example is only made into an object when somebody looks at it. */
class Prediction implements PredictionResult<unknown, unknown> {
  readonly inference: unknown
  readonly modelId: string
  readonly #run: RowRun
  readonly #index: number

  constructor(inference: unknown, modelId: string, run: RowRun, index: number) {
    this.inference = inference
    this.modelId = modelId
    this.#run = run
    this.#index = index
  }

  get example(): unknown {
    return this.#run.example(this.#index)
  }
}

/** results → what is below the step: the way out of a model. */
export class StepOutput {
  readonly #options: StepOutputOptions

  constructor(options: StepOutputOptions) {
    this.#options = options
  }

  /** Hands on the results of one segment; `at` is the position of its first row in the outputs. `spareOf`: see `FailureFacts`. */
  deliver(
    segment: RunSegment,
    outputs: BatchOutputs,
    at: number,
    spareOf?: (run: RowRun, index: number) => Spare,
  ): void {
    const { run, from, to } = segment
    const { routes, delivery, keepsResults } = this.#options
    if (run.work.lost) return
    const { next, direct } = routes[run.route]!
    // Such a batch is always delivered whole; each of its results is a branch of its record.
    if (run.broughtBy !== undefined) run.work.addBranches(run.broughtBy, run.count - 1)
    const branches = direct.length + (next ? 1 : 0)
    if (branches > 1) for (let i = from; i < to; i++) run.work.addBranches(run.rows[i]!, branches - 1)
    for (const { sink, output } of direct) {
      const { data, rowShape } = outputs.outputs[output]!
      const elements = elementsOf(rowShape)!
      const array = data as Float32Array
      const rowBytes = elements * array.BYTES_PER_ELEMENT
      const bytes = new Uint8Array(array.buffer, array.byteOffset + at * rowBytes, (to - from) * rowBytes)
      sink.pushRows(run.work, run.rows, from, to, bytes, rowBytes)
    }
    if (!next) return
    const read = keepsResults ? ownRows(outputs, at, to - from) : outputs
    const first = keepsResults ? 0 : at
    for (let i = from; i < to; i++) {
      // Each time: what waits for an asynchronous function may go on in between.
      delivery.modelId = outputs.modelId
      delivery.spare = spareOf?.(run, i)
      next.push(run.work, run.rows[i]!, this.#result(run, i, read, first + i - from))
    }
  }

  #result(run: RowRun, index: number, outputs: BatchOutputs, position: number): unknown {
    const { keyed } = this.#options
    const result = this.#unkeyed(run, index, outputs, position)
    if (!keyed) return result
    const key = run.keys![index]
    return key === NO_KEY ? result : kv(key, result)
  }

  /** Of candidates too, which stand behind the models of the handler. */
  layoutOf(cohort: number): OutputLayout {
    const { layouts } = this.#options
    return layouts[cohort % layouts.length]!
  }

  #unkeyed(run: RowRun, index: number, outputs: BatchOutputs, position: number): unknown {
    const layout = this.layoutOf(run.cohort)
    const inference = inferenceOf(layout, outputs.outputs, position)
    if (layout.kind === 'result') return inference
    return this.#options.keepsResults
      ? predictionResult(run.example(index), inference, outputs.modelId)
      : new Prediction(inference, outputs.modelId, run, index)
  }
}

/** What a model says of one row: views of its outputs, or what the handler gave. */
export function inferenceOf(
  { kind, names }: OutputLayout,
  outputs: BatchOutputs['outputs'],
  position: number,
): unknown {
  if (kind === 'result') return (outputs[0]!.data as readonly unknown[])[position]
  if (kind === 'unnamed') return outputRow(outputs, 0, position)
  const inference: Record<string, unknown> = {}
  for (let i = 0; i < names.length; i++) inference[names[i]!] = outputRow(outputs, i, position)
  return inference
}

/** One row of one output, as a view. */
function outputRow(outputs: BatchOutputs['outputs'], output: number, position: number): unknown {
  const { data, rowShape } = outputs[output]!
  const elements = elementsOf(rowShape)!
  return rowView(data, position * elements, elements)
}
