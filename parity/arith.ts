/** The recorded model handler: pure arithmetic, with the ways to fail that the cases name. */
import { type BareModelHandler, type CustomHandler, modelHandler, predictionResult } from 'kafka-run-inference'
import { RuntimeError, ValueError } from './python-errors.ts'
import type { Recorder } from './recorder.ts'

export interface ArithOptions {
  readonly op: 'mul' | 'add' | 'echo'
  readonly by?: number
  /** Results are bare values instead of predictions. */
  readonly raw?: boolean
  readonly modelId?: string
  /** The call fails when its batch contains this. */
  readonly failOn?: unknown
  /** What it fails with; default ValueError. */
  readonly errorClass?: new (
    message: string,
  ) => Error
  /** Results come from a generator, which fails at the element in question. */
  readonly lazy?: boolean
  readonly failLoad?: boolean
  /** Only this model fails to load. */
  readonly failLoadOf?: string
  /** Results are repeated or missing at the end. */
  readonly extraResults?: number
  /** The rest of the handler: bytes, namespace, batch options. */
  readonly also?: Partial<CustomHandler<unknown, unknown, unknown>>
}

export function arith(recorder: Recorder, options: ArithOptions): BareModelHandler<unknown, unknown> {
  const { op, by = 0, raw = false, modelId = 'm0', failOn, lazy = false, failLoad = false, extraResults = 0 } = options
  const { errorClass = ValueError, also = {} } = options
  const results = (batch: readonly unknown[], model: { readonly id: string }) => {
    const made = batch.map(example => {
      const inference = applied(op, by, example)
      return raw ? inference : predictionResult(example, inference, model.id)
    })
    if (extraResults < 0) return made.slice(0, extraResults)
    return [...made, ...Array.from({ length: extraResults }, () => made.at(-1))]
  }
  const check = (example: unknown) => {
    if (failOn !== undefined && example === failOn) throw new errorClass(`bad inference input ${example}`)
  }
  return modelHandler<unknown, unknown, { readonly id: string }>({
    name: `${op}(${modelId})`,
    modelId,
    loadModel(id) {
      recorder.loads.push(id)
      if (failLoad || id === options.failLoadOf) throw new RuntimeError(`cannot load model ${id}`)
      return { id }
    },
    runInference(batch, model) {
      recorder.batch(batch)
      if (lazy) return lazily(batch, check, results(batch, model))
      for (const example of batch) check(example)
      return results(batch, model)
    },
    ...(also as object),
  })
}

function applied(op: ArithOptions['op'], by: number, example: unknown): unknown {
  if (op === 'echo') return example
  return op === 'mul' ? (example as number) * by : (example as number) + by
}

function* lazily(
  batch: readonly unknown[],
  check: (example: unknown) => void,
  results: readonly unknown[],
): Generator<unknown> {
  for (const [i, example] of batch.entries()) {
    check(example)
    yield results[i]
  }
}
