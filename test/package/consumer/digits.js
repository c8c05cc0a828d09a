// What a user of the package writes in plain JavaScript.
import { avro, float32, from, int64, keyed, kv, onnx, text, topology, utf8, withParameters } from 'kafka-run-inference'

const mlp = isolation =>
  onnx({
    model: 'models/digits-mlp-v1.onnx',
    inputs: { x: float32(64) },
    outputs: { probabilities: float32(10), label: int64() },
    isolation,
  })

const parameters = {
  prefix: text('what its topics begin with', ''),
  isolation: text('thread or process', 'thread'),
}

export default withParameters(parameters, ({ prefix, isolation }) => {
  const classifier = keyed(mlp(isolation))
    .withPreprocess(({ key, value }) => kv(key, { x: value.pixels }))
    .withPostprocess(({ key, value: { inference, modelId } }) =>
      kv(key, { id: key, label: Number(inference.label[0]), probabilities: inference.probabilities, modelId }),
    )
  const images = from(`${prefix}images`, { key: utf8(), value: avro('digit') })
  const predictions = images.runInference('classify', classifier, { batch: { maxSize: 64 } })
  return topology(`${prefix}digits`, [
    predictions.to(`${prefix}predictions`, { key: utf8(), value: avro('digit-prediction') }),
  ])
})
