// What the types of topologies allow and refuse, checked by tsc (`npm test` runs it); nothing here is executed.
import {
  avro,
  bytes,
  type Codec,
  type Decoder,
  type Encoder,
  flag,
  float16,
  float32,
  float64,
  from,
  inference,
  int64,
  integer,
  isKV,
  type KV,
  keyed,
  kv,
  onnx,
  type PredictionResult,
  padded,
  type Sink,
  string,
  text,
  topology,
  uint8,
  utf8,
  withParameters,
} from 'kafka-run-inference'

interface Digit {
  readonly id: string
  readonly pixels: readonly number[]
}
interface Label {
  readonly id: string
  readonly digit: number
}
const digit = avro<Digit>('digit')
const label = avro<Label>('label')
const mlp = onnx({
  model: 'm.onnx',
  inputs: { x: float32(64) },
  outputs: { probabilities: float32(10), label: int64() },
})
const digits = from('in', digit)
const keyedDigits = from('in', { key: utf8(), value: digit })

// ---- what is allowed

const classifier = mlp
  .withPreprocess((d: Digit) => ({ x: d.pixels }))
  .withPostprocess(r => ({ id: 'q', digit: Number(r.inference.label[0]) }))
export const plain: Sink = digits.runInference('s', classifier).to('out', label)

// The function that is added last runs first: its result is the input of the one before.
export const two = digits.runInference(
  's',
  mlp
    .withPreprocess((pixels: Float32Array) => ({ x: pixels }))
    .withPreprocess((d: Digit) => Float32Array.from(d.pixels)),
)

const keyedClassifier = keyed(mlp)
  .withPreprocess((e: KV<string, Digit>) => kv(e.key, { x: e.value.pixels }))
  .withPostprocess(e => kv(e.key, { id: e.key, digit: Number(e.value.inference.label[0]) }))
const predictions = keyedDigits.runInference('s', keyedClassifier)
export const both = [
  predictions.to('a', { key: utf8(), value: label }),
  predictions.map(e => e.value).to('b', label),
  predictions.filter(e => e.value.digit > 3).to('c', { key: utf8(), value: label }, { partition: 'key' }),
]

// Bare tensors: typed arrays in, typed arrays out; plain numbers are taken where the type allows them.
const single = onnx({ model: 'm.onnx', input: float32(64), output: float32(null) })
export const raw = from('in', float32(64)).runInference('s', single).to('out', inference())
export const numbers = single.withPreprocess((d: Digit) => d.pixels)
export const rows = from('in', float32(64))
  .runInference('s', single)
  .map((r: PredictionResult<Float32Array, Float32Array>): Float32Array => r.inference)
  .to('out', float32(10))

// A row of strings may be given as one string; what comes back is a list.
const language = onnx({ model: 'm.onnx', inputs: { text: string(1) }, outputs: { label: string() } })
export const bareText = language
  .withPreprocess((text: string) => ({ text }))
  .withPostprocess(({ inference }): string => inference.label.join())
export const listed = language.withPreprocess((text: string) => ({ text: [text] }))
// 16-bit floats take any floats, 64-bit integers lists of bigint.
export const halves = onnx({ model: 'm.onnx', inputs: { x: float16(2), n: int64(2) }, outputs: { y: float16(2) } })
  .withPreprocess((x: Float32Array) => ({ x, n: [1n, 2n] }))
  .withPostprocess(({ inference }): Float16Array => inference.y)

// A filter that narrows gives the narrower type.
export const narrowed = from('in', avro<Digit | Label>('any'))
  .filter(d => 'pixels' in d)
  .to('out', digit)

// Codecs are both; a decoder of less may read for more, an encoder of more may write less.
export const codec: Codec<string> = utf8()
export const decoder: Decoder<unknown> = utf8()
export const encoder: Encoder<'a' | 'b'> = utf8()

// Functions of batch options get elements as the stream has them; a mask is no part of the example.
export const bucketed = digits.runInference('s', classifier, {
  batch: { bucketBy: d => d.id.length, sizeOf: d => d.pixels.length, maxTotalSize: 1_000, adaptive: true },
})
export const byLength = keyedDigits.runInference('s', keyedClassifier, {
  batch: { bucketBy: { lengthOf: e => e.value.pixels.length, boundaries: [16, 64] } },
})
const ids = padded(int64(null), { with: 0n, mask: 'attention_mask', multipleOf: 8 })
export const tokens = onnx({ model: 'm.onnx', inputs: { ids }, outputs: { mean: float32() } })
  .withPreprocess((words: readonly string[]) => ({ ids: words.map(word => BigInt(word.length)) }))
  .withPostprocess(({ example }): BigInt64Array => example.ids)

export const parameterised = withParameters(
  { in: text('topic'), width: integer('w', 4), dry: flag('d', true) },
  values => {
    const name: string = values.in
    const width: number = values.width
    const dry: boolean = values.dry
    return topology(dry ? 'dry' : 't', [from(name, float32(width)).to('out', float32(width))])
  },
)

// ---- what is refused

// @ts-expect-error the input type of a preprocess function must be stated: d is unknown
export const unstated = mlp.withPreprocess(d => ({ x: d.pixels }))

// @ts-expect-error a row must be given under the name of the input
export const unnamed = mlp.withPreprocess((d: Digit) => d.pixels)

// @ts-expect-error int64 rows are bigint
export const notBig = onnx({ model: 'm', inputs: { ids: int64(2) }, outputs: {} }).withPreprocess((n: number) => ({
  ids: [n, n],
}))

// @ts-expect-error numbers are no strings
export const noTexts = language.withPreprocess((n: number) => ({ text: [n] }))

// @ts-expect-error strings are no numbers
export const noNumbers = single.withPreprocess((d: Digit) => [d.id])

// @ts-expect-error the stream gives labels, the handler takes digits
export const otherStream = from('in', label).runInference('s', classifier)

// @ts-expect-error keyed takes a handler without functions
export const late = keyed(classifier)

// @ts-expect-error bare values do not go into a keyed handler
export const bareIntoKeyed = digits.runInference('s', keyedClassifier)

// @ts-expect-error keyed elements do not go into a bare handler
export const keyedIntoBare = keyedDigits.runInference('s', classifier)

// @ts-expect-error the codec writes labels, the stream gives digits
export const otherCodec = digits.to('out', label)

// @ts-expect-error a stream without keys has none to write
export const noKeys = digits.to('out', { key: utf8(), value: digit })

// @ts-expect-error the key is a string
export const otherKey = keyedDigits.to('out', { key: bytes(), value: digit })

// @ts-expect-error keyed elements need a codec for the key, or to be mapped to their values
export const keyedAsValue = keyedDigits.to('out', digit)

// @ts-expect-error only predictions have an inference to write
export const noPrediction = from('in', float32(64)).to('out', inference())

// @ts-expect-error the model has no output of that name
export const noOutput = mlp.withPostprocess(r => r.inference.scores)

// @ts-expect-error float64 rows are no float32 rows
export const otherFloat = from('in', float32(2)).to('out', float64(2))

const int64Model = onnx({ model: 'm', input: int64(64), output: float32(1) })
// @ts-expect-error uint8 rows are no int64 rows
export const otherRow = from('in', uint8(64)).runInference('s', int64Model)

// @ts-expect-error tombstones have three ways
export const otherPolicy = from('in', digit, { tombstones: 'keep' })

// @ts-expect-error batches have two modes
export const otherMode = digits.runInference('s', classifier, { batch: { mode: 'adaptive' } })

// @ts-expect-error the stream gives digits, which have no text
export const otherBucket = digits.runInference('s', classifier, { batch: { bucketBy: d => d.text } })

// @ts-expect-error a size is a number
export const otherSize = digits.runInference('s', classifier, { batch: { sizeOf: d => d.id, maxTotalSize: 1 } })

// @ts-expect-error int64 rows are filled with a bigint
export const otherFill = padded(int64(null), { with: 0 })

// @ts-expect-error strings have no element that fills
export const paddedStrings = padded(string(null), { with: '' })

// @ts-expect-error there is no such setting
export const otherSetting = digits.runInference('s', classifier, { batch: { size: 5 } })

// @ts-expect-error providers are cpu, cuda and webgpu
export const otherProvider = onnx({ model: 'm', input: float32(1), output: float32(1), providers: ['tpu'] })

// @ts-expect-error a topology is made of sinks, not of streams
export const streams = topology('t', [digits])

// @ts-expect-error an array is no keyed element
export const array: KV<string, number> = ['k', 1]

// @ts-expect-error nor is an object that looks like one
export const lookalike: KV<string, number> = { key: 'k', value: 1 }

export function known(value: unknown): string {
  // @ts-expect-error before isKV nothing is known
  value.key
  return isKV(value) ? String(value.key) : ''
}
