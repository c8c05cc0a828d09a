// Numbers as text through two parts, a model in the first: some are dropped, some are bad, and those behind see what is left.
import {
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

export default withParameters({ prefix: text('of all names') }, ({ prefix }) => {
  const classified = from(`${prefix}in`, strings)
    .filter(({ value }) => value !== 'drop')
    .runInference(
      'classify',
      keyed(model)
        .withPreprocess(({ key, value }: KV<string, string>) => {
          if (value === 'bad') throw new RangeError('a number that is none')
          return kv(key, { x: new Float32Array(64).fill(Number(value) % 17) })
        })
        .withPostprocess(({ key, value: { inference } }) => kv(key, `${inference.label[0]}`)),
    )
  const out = classified.through(`${prefix}between`, strings).map(({ key, value }) => kv(key, `label ${value}`))
  return topology(`${prefix}app`, [out.to(`${prefix}out`, strings)])
})
