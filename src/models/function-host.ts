/**
 * Runs the functions around a model on elements that come and go as bytes: in a worker, or in the calling thread for tests.
 * A chunk is answered when each of its elements has a result or an error of its own; nothing that a function does fails another
 * element.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { type AsyncCall, AsyncCalls } from './async-calls.ts'
import { unpackElements } from './carried-elements.ts'
import type { FailedElement, FunctionReply, FunctionRequest } from './function-messages.ts'
import { packResults } from './function-results.ts'
import { carryError } from './lane-messages.ts'
import type { HandlerFunction } from './model-handler.ts'
import { applyFunction, type FunctionSide, functionTimeout, throwCodeOf } from './user-function.ts'

/** The functions of a step. */
export interface StepFunctions {
  readonly preprocess: readonly HandlerFunction[]
  readonly postprocess: readonly HandlerFunction[]
  /** One call of one of them, unless it says otherwise. */
  readonly timeoutMs: number
}

/** Told which call the thread is inside of, so that somebody outside can see what does not return. */
export interface CallMarks {
  enter(chunk: number, position: number, index: number): void
  leave(): void
}

export interface FunctionHost {
  /** Never rejects. */
  serve(request: FunctionRequest): Promise<FunctionReply>
}

export interface HostParts {
  readonly clock: Clock
  readonly marks: CallMarks
  readonly onFatal: (error: unknown) => void
}

export function createFunctionHost(functions: StepFunctions, parts: HostParts): FunctionHost {
  const chainOf = (side: FunctionSide) => new Chain(side, functions[side], functions.timeoutMs, parts)
  const chains = { preprocess: chainOf('preprocess'), postprocess: chainOf('postprocess') }
  return {
    async serve({ chunk, side, elements }) {
      const calls = await chains[side].run(chunk, unpackElements(elements))
      const last = functions[side].length - 1
      const values = calls.map(({ value }) => value)
      const { results, refused } = packResults(values, `${side} function ${last}`)
      const failures = [
        ...calls.flatMap(call => call.failure ?? []),
        ...refused.map(({ position, error }) => failedElement(position, last, error)),
      ]
      return { type: 'ran', chunk, results, failures }
    },
  }
}

/** The functions on one side, one behind the other. */
class Chain {
  readonly side: FunctionSide
  readonly timeoutMs: number
  readonly marks: CallMarks
  readonly #functions: readonly { readonly given: HandlerFunction; readonly calls: AsyncCalls | undefined }[]

  constructor(side: FunctionSide, functions: readonly HandlerFunction[], timeoutMs: number, parts: HostParts) {
    const { clock, marks, onFatal } = parts
    this.side = side
    this.timeoutMs = timeoutMs
    this.marks = marks
    this.#functions = functions.map(given => {
      const { fn, concurrency } = given
      return {
        given,
        calls: concurrency === undefined ? undefined : new AsyncCalls({ fn, concurrency, clock, onFatal }),
      }
    })
  }

  /** Resolves when all have ended. */
  async run(chunk: number, values: readonly unknown[]): Promise<readonly ChainCall[]> {
    const ended = Promise.withResolvers<void>()
    let left = values.length
    const onEnd = () => --left === 0 && ended.resolve()
    const calls = values.map((value, position) => new ChainCall(this, chunk, position, value, onEnd))
    for (const call of calls) this.goOn(call)
    if (left > 0) await ended.promise
    return calls
  }

  /** Calls one function after the other, until one is asynchronous, one fails, or there is none. */
  goOn(call: ChainCall): void {
    for (; call.index < this.#functions.length; call.index++) {
      const { given, calls } = this.#functions[call.index]!
      if (calls) {
        call.timeoutMs = given.timeoutMs ?? this.timeoutMs
        calls.push(call)
        return
      }
      call.entering()
      try {
        call.value = applyFunction(given.fn, call.value, throwCodeOf(this.side))
      } catch (error) {
        call.threw(error)
        return
      } finally {
        this.marks.leave()
      }
    }
    call.onEnd()
  }
}

/** One element on its way through a chain. */
class ChainCall implements AsyncCall {
  readonly isLost = false
  readonly onEnd: () => void
  value: unknown
  /** The function that is next, or was the last one. */
  index = 0
  timeoutMs = 0
  failure: FailedElement | undefined
  readonly #chain: Chain
  readonly #chunk: number
  readonly #position: number

  constructor(chain: Chain, chunk: number, position: number, value: unknown, onEnd: () => void) {
    this.#chain = chain
    this.#chunk = chunk
    this.#position = position
    this.value = value
    this.onEnd = onEnd
  }

  entering(): void {
    this.#chain.marks.enter(this.#chunk, this.#position, this.index)
  }

  left(): void {
    this.#chain.marks.leave()
  }

  done(result: unknown): void {
    this.value = result
    this.index++
    this.#chain.goOn(this)
  }

  threw(error: unknown): void {
    this.#fail(RunInferenceError.from(error, throwCodeOf(this.#chain.side), this.#where))
  }

  expired(): void {
    this.#fail(functionTimeout(this.#where, 'settle', this.timeoutMs))
  }

  get #where(): string {
    return `${this.#chain.side} function ${this.index}`
  }

  #fail(error: RunInferenceError): void {
    this.value = undefined
    this.failure = failedElement(this.#position, this.index, error)
    this.onEnd()
  }
}

function failedElement(position: number, index: number, error: RunInferenceError): FailedElement {
  // The stack that a dead letter shows is that of what was thrown.
  return { position, index, error: { ...carryError(error), stack: error.thrownStack } }
}
