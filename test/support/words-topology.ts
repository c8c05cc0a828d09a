// Lines of text become words, which are counted by the hundred elsewhere: two parts, a model in each.
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
const model = (version: string) =>
  onnx({
    model: `models/digits-mlp-${version}.onnx`,
    inputs: { x: float32(64) },
    outputs: { probabilities: float32(10), label: int64() },
  })

export default withParameters({ prefix: text('of all names') }, ({ prefix }) => {
  const words = from(`${prefix}lines`, strings)
    .flatMap(({ key, value }) => value.split(' ').map(word => kv(key, word)), { maxFanOut: 10 })
    .runInference(
      'upper',
      keyed(model('v1'))
        .withPreprocess(({ key, value }: KV<string, string>) => {
          if (value === 'bad') throw new RangeError('a word that nobody wants')
          return kv(`${key} ${value}`, { x: new Float32Array(64).fill(value.length) })
        })
        .withPostprocess(({ key }) => key),
    )
    .repartition(`${prefix}words`, line => line.split(' ')[1]!, strings)
  const counted = words.runInference(
    'lower',
    keyed(model('v2'))
      .withPreprocess(({ key, value }: KV<string, string>) =>
        kv(`${key}<${value}`, { x: new Float32Array(64).fill(key.length) }),
      )
      .withPostprocess(({ key, value: { inference } }) => {
        const [word, line] = key.split('<')
        return kv(word!, `${line} ${inference.label[0]}`)
      }),
  )
  return topology(`${prefix}app`, [counted.to(`${prefix}counted`, strings)])
})
