// Numbers as text: seen on one branch, classified on another, where some fail until the function is mended, and some for ever.
import {
  flag,
  float32,
  from,
  int64,
  type KV,
  keyed,
  kv,
  onnx,
  text,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'

const strings = { key: utf8(), value: utf8() }
const model = onnx({
  model: 'models/digits-mlp-v1.onnx',
  inputs: { x: float32(64) },
  outputs: { probabilities: float32(10), label: int64() },
})

export default withParameters(
  { prefix: text('of all names'), mended: flag('whether the function is', false) },
  ({ prefix, mended }) => {
    const numbers = from(`${prefix}in`, strings)
    const classified = numbers.runInference(
      'classify',
      keyed(model)
        .withPreprocess(({ key, value }: KV<string, string>) => {
          if (value === 'cursed' || (value.startsWith('#') && !mended)) throw new RangeError(`no number: ${value}`)
          return kv(key, { x: new Float32Array(64).fill(Number(value.replace('#', '')) % 17) })
        })
        .withPostprocess(({ key, value: { inference } }) => kv(key, `${inference.label[0]}`)),
    )
    const seen = numbers.map(({ key, value }) => kv(key, `seen ${value}`)).to(`${prefix}seen`, strings)
    return topology(`${prefix}app`, [seen, classified.to(`${prefix}out`, strings)])
  },
)
