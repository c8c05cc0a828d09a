// What the types of handlers of one's own, keyed handlers and dead letters allow and refuse, checked by tsc; nothing is executed.
import {
  type CustomHandler,
  type DeadLetter,
  float32,
  from,
  type Inferred,
  inference,
  int64,
  json,
  type KV,
  keyed,
  kv,
  type ModelHandler,
  maybeKeyed,
  modelHandler,
  onnx,
  type PredictionResult,
  predictionResult,
  type Sink,
  type Stream,
  utf8,
} from 'kafka-run-inference'

interface Digit {
  readonly id: string
  readonly pixels: readonly number[]
}
const digit = json<Digit>()
const digits = from('in', digit)
const keyedDigits = from('in', { key: utf8(), value: digit })
const numbers = from('numbers', json<number>())
const mlp = onnx({ model: 'm.onnx', inputs: { x: float32(64) }, outputs: { label: int64() } })
const vectors = onnx({ model: 'm.onnx', input: float32(2), output: float32(2) })

// ---- handlers of one's own

const scale = modelHandler({
  name: 'scale',
  loadModel: async () => ({ factor: 2 }),
  runInference: (batch: readonly number[], model) => batch.map(n => n * model.factor),
})
export const scaled: Stream<number> = numbers.runInference('s', scale)

class Describer implements CustomHandler<Digit, PredictionResult<Digit, string>, string> {
  readonly name = 'describer'
  readonly batchElementsOptions = { maxSize: 16 }
  loadModel(modelId: string): string {
    return modelId
  }
  *runInference(batch: readonly Digit[], model: string): Generator<PredictionResult<Digit, string>> {
    for (const example of batch) yield predictionResult(example, example.id, model)
  }
  isTransient(error: unknown): boolean {
    return error instanceof Error
  }
}
export const described: Sink = digits
  .runInference('s', modelHandler(new Describer()))
  .map(result => result.inference)
  .to('out', utf8())
export const streamed = modelHandler({
  name: 'streamed',
  loadModel: () => 1,
  async *runInference(batch: readonly number[]) {
    yield* batch.map(String)
  },
})
export const texts: Stream<string> = numbers.runInference('s', streamed)

// @ts-expect-error the handler takes numbers
export const otherExamples = digits.runInference('s', scale)

export const otherModel = modelHandler({
  name: 'x',
  loadModel: () => ({ factor: 1 }),
  // @ts-expect-error the model has no weight
  runInference: (batch: readonly number[], model) => batch.map(n => n * model.weight),
})

// @ts-expect-error a handler says how it runs a batch
export const noRun = modelHandler({ name: 'x', loadModel: () => 1 })

// @ts-expect-error results are a list or come one by one
export const noResults = modelHandler({ name: 'x', loadModel: () => 1, runInference: () => 5 })

// ---- functions around a model

export const awaited = scale
  .withPreprocess(async (d: Digit) => d.pixels.length, { concurrency: 8, timeoutMs: 1_000 })
  .withPostprocess(async n => String(n), { concurrency: 2 })
export const awaitedTexts: Stream<string> = digits.runInference('s', awaited)

// @ts-expect-error a promise is no number: say how many calls may be under way
export const notAwaited = scale.withPreprocess(async (d: Digit) => d.pixels.length)

// @ts-expect-error how long says nothing of how many
export const noConcurrency = scale.withPreprocess(async (d: Digit) => d.pixels.length, { timeoutMs: 5 })

// @ts-expect-error the type of the input must be stated: d is unknown
export const unstated = scale.withPreprocess(d => d.pixels.length)

// ---- batches as elements

export const batches: Stream<number> = digits.map(d => d.pixels).runInference('s', scale.withNoBatching())
export const lists = scale.withNoBatching().withPreprocess((d: Digit) => d.pixels)

// @ts-expect-error each element is a batch
export const noBatch = numbers.runInference('s', scale.withNoBatching())

// @ts-expect-error keyed takes handlers that batch
export const unbatchedKeyed = keyed(scale.withNoBatching())

// ---- keyed

const mapped = keyed(
  [
    { keys: ['a', 'b'], handler: mlp },
    { keys: ['c'], handler: mlp },
  ],
  { maxModelsPerWorker: 1 },
)
export const perKey: ModelHandler<KV<string, { readonly x: readonly number[] }>, unknown> = mapped
export const perKeyLabels: Stream<KV<string, bigint>> = keyedDigits.runInference(
  's',
  mapped
    .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
    .withPostprocess(({ key, value }) => kv(key, value.inference.label[0]!)),
)
export const byNumber: Stream<KV<number, number>> = numbers
  .keyBy(n => n)
  .runInference('s', keyed([{ keys: [1, 2], handler: scale }]))
export const hinted = keyed(mlp.withResourceHints({ minRam: '1GB' }))

// @ts-expect-error functions go around the keyed handler
export const innerFunction = keyed(scale.withPreprocess((d: Digit) => d.pixels.length))

// @ts-expect-error nor may a mapping's handler have some
export const innerMapping = keyed([{ keys: ['a'], handler: scale.withPostprocess(String) }])

// @ts-expect-error a keyed handler is not keyed again
export const twice = keyed(keyed(scale))

const numbered = keyed([{ keys: [1], handler: scale }])
const lettered = keyedDigits.map(({ key }) => kv(key, 1))
// @ts-expect-error the keys of the stream are strings, those of the mappings numbers
export const otherKeys = lettered.runInference('s', numbered)

// @ts-expect-error elements have no keys
export const unkeyed = numbers.runInference('s', keyed(scale))

// @ts-expect-error there is no such limit
export const otherLimit = keyed([{ keys: ['a'], handler: scale }], { maxModels: 1 })

// ---- maybe keyed

const pairs = keyedDigits.map(({ key }) => kv(key, 1))
export const fromBare: Sink = numbers.runInference('s', maybeKeyed(scale)).to('out', json())
export const fromKeyed: Sink = pairs.runInference('s', maybeKeyed(scale)).to('out', json())
export const fromBoth: Stream<number | KV<string, number>> = pairs.merge(numbers).runInference('s', maybeKeyed(scale))

// @ts-expect-error elements of other types are refused, keyed or not
export const otherMaybe = keyedDigits.runInference('s', maybeKeyed(scale))

// ---- dead letters

const results: Inferred<number> = numbers.runInference('s', scale, {
  exceptionHandling: { only: [TypeError, 'MyError'], threshold: 0.1, failureUnit: 'batch' },
  retry: { maxRetries: 1, firstDelayMs: 10, maxDelayMs: 100 },
  inferenceArgs: { temperature: 0.5 },
  functions: 'worker',
})
export const letters: Stream<DeadLetter> = results.failed.inference
export const first: Sink = results.failed
  .preprocess(0)
  .map(({ code }) => code)
  .to('out', utf8())
export const after: Sink = results.failed
  .postprocess()
  .filter(({ step }) => step === 's')
  .to('out', json<DeadLetter>())
export const elsewhere: Inferred<number> = results.withResourceHints({ accelerator: 'type:nvidia-tesla-t4;count:1' })

// @ts-expect-error what becomes of a prediction has no dead letters of its own
export const behindMap = results.map(n => n).failed

// @ts-expect-error inference is one stream
export const indexed = results.failed.inference(0)

// @ts-expect-error what a dead letter held is not known
export const element: number = results.failed.inference.map(({ element }) => element.length)

// @ts-expect-error failures are of rows or of batches
export const otherUnit = numbers.runInference('s', scale, { exceptionHandling: { failureUnit: 'row' } })

// @ts-expect-error only errors can be chosen
export const otherClass = numbers.runInference('s', scale, { exceptionHandling: { only: [Date] } })

// @ts-expect-error hints are minRam and accelerator
export const otherHint = results.withResourceHints({ ram: 5 })

// ---- raw rows

const raw = from('rows', { key: utf8(), value: float32(2) })
export const bare: Sink = raw
  .map(({ value }) => value)
  .runInference('s', vectors)
  .to('out', inference())
// @ts-expect-error a keyed prediction is written with a codec for its key
export const keyedRaw = raw.runInference('s', keyed(vectors)).to('out', inference())
