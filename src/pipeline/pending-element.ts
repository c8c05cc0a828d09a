import type { RunInferenceError } from '../errors.ts'
import type { FunctionJob } from '../models/function-lane.ts'
import type { FunctionTimer } from './function-timing.ts'
import type { Delivery } from './functions.ts'
import type { FailurePoint, Spare, Stage } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

export interface PendingOptions {
  readonly next: Stage
  readonly point: FailurePoint
  readonly timer: FunctionTimer
  /** Set behind a model. */
  readonly delivery: Delivery | undefined
  /** A block has gone on by an element, outside of any batch. */
  readonly onProgress: (work: WorkBlock) => void
}

/** An element whose result comes later: it goes on then, or fails, unless its partition was lost meanwhile (I8). */
export class PendingElement<O extends PendingOptions = PendingOptions> implements FunctionJob {
  readonly value: unknown
  protected readonly options: O
  readonly #work: WorkBlock
  readonly #element: number
  /** The model whose result it is: another one may be delivering by the time that it comes back. */
  readonly #modelId: string | undefined
  readonly #spare: Spare | undefined

  constructor(options: O, work: WorkBlock, element: number, value: unknown) {
    this.options = options
    this.#work = work
    this.#element = element
    this.value = value
    this.#modelId = options.delivery?.modelId
    this.#spare = options.delivery?.spare
  }

  get isLost(): boolean {
    return this.#work.lost
  }

  done(result: unknown): void {
    const { next, delivery, timer, onProgress } = this.options
    if (this.isLost) return
    timer.begin()
    if (delivery) {
      delivery.modelId = this.#modelId
      delivery.spare = this.#spare
    }
    next.push(this.#work, this.#element, result)
    onProgress(this.#work)
  }

  failed(index: number, error: RunInferenceError): void {
    const { point, onProgress } = this.options
    if (this.isLost) return
    const about = { value: this.value, modelId: this.#modelId, spare: this.#spare }
    this.#work.fail(this.#element, point, index, error, about)
    onProgress(this.#work)
  }
}
