import { RunInferenceError } from '../errors.ts'
import type { BatchOutputs } from '../models/executor.ts'
import type { UserFunction } from '../models/model-handler.ts'
import { elementsOf } from '../models/tensors.ts'
import { kv, type PredictionResult } from '../records.ts'
import { applyFunction } from './functions.ts'
import type { RowRun, RunSegment } from './row-run.ts'
import type { SinkStage } from './sink-stage.ts'
import type { FailurePoint, Stage } from './stage.ts'
import { rowView } from './tensor-rows.ts'

export interface StepOutputOptions {
  readonly keyed: boolean
  readonly postprocess: readonly UserFunction[]
  /** Declared output names; inferences are records of them, or the bare row when `unnamed`. */
  readonly outputNames: readonly string[]
  readonly unnamed: boolean
  readonly failures: FailurePoint
  /** What takes the results one by one; undefined when all branches take rows as bytes. */
  readonly next: Stage | undefined
  /** Sinks that copy rows of one output (by position) straight from the model. */
  readonly direct: readonly { readonly sink: SinkStage; readonly output: number }[]
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

/** results → postprocess: the way out of a model. */
export class StepOutput {
  readonly #options: StepOutputOptions

  constructor(options: StepOutputOptions) {
    this.#options = options
  }

  /** Hands on the results of one segment; `at` is the position of its first row in the outputs. */
  deliver(segment: RunSegment, outputs: BatchOutputs, at: number): void {
    const { run, from, to } = segment
    const { next, direct } = this.#options
    if (run.work.lost) return
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
    if (next) for (let i = from; i < to; i++) this.#deliverRow(run, i, outputs, at + i - from, next)
  }

  #deliverRow(run: RowRun, index: number, outputs: BatchOutputs, position: number, next: Stage): void {
    const { keyed, postprocess, failures } = this.#options
    const row = run.rows[index]!
    const prediction = new Prediction(this.#inference(outputs, position), outputs.modelId, run, index)
    let value: unknown = keyed ? kv(run.keys![index], prediction) : prediction
    for (let i = 0; i < postprocess.length; i++) {
      try {
        value = applyFunction(postprocess[i]!, value, 'POSTPROCESS_THREW')
      } catch (error) {
        const failure = RunInferenceError.from(error, 'POSTPROCESS_THREW', `postprocess function ${i}`)
        run.work.fail(row, failures, i, failure, outputs.modelId)
        return
      }
    }
    next.push(run.work, row, value)
  }

  #inference(outputs: BatchOutputs, position: number): unknown {
    const { unnamed, outputNames } = this.#options
    if (unnamed) return outputRow(outputs, 0, position)
    const inference: Record<string, unknown> = {}
    for (let i = 0; i < outputNames.length; i++) inference[outputNames[i]!] = outputRow(outputs, i, position)
    return inference
  }
}

/** One row of one output, as a view. */
function outputRow(outputs: BatchOutputs, output: number, position: number): unknown {
  const { data, rowShape } = outputs.outputs[output]!
  const elements = elementsOf(rowShape)!
  return rowView(data, position * elements, elements)
}
