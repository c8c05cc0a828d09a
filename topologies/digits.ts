// Handwritten digits (8×8 pixels, 0 to 16) → label and probabilities, keyed by image id.
import { avro, float32, from, int64, type KV, keyed, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import type { Digit, DigitPrediction } from '../schemas/types.ts'

const mlp = onnx({
  model: 'models/digits-mlp-v1.onnx',
  inputs: { x: float32(64) },
  outputs: { probabilities: float32(10), label: int64() },
})

const classifier = keyed(mlp)
  .withPreprocess(({ key, value }: KV<string, Digit>) => {
    const brightest = Math.max(...value.pixels)
    if (brightest > 16) throw new RangeError(`pixels are 0 to 16, got ${brightest}`)
    return kv(key, { x: value.pixels })
  })
  .withPostprocess(({ key, value: { example, inference, modelId } }): KV<string, DigitPrediction> => {
    if ((example.x as Float32Array).every(pixel => pixel === 0)) throw new RangeError('a blank image shows no digit')
    return kv(key, {
      id: key,
      label: Number(inference.label[0]),
      probabilities: inference.probabilities,
      modelId,
    })
  })

const predictions = from('digits.images', { key: utf8(), value: avro<Digit>('digit') }).runInference(
  'classify',
  classifier,
  { batch: { maxSize: 256 }, modelMetadata: true },
)

export default topology('digits', [
  predictions.to('digits.predictions', { key: utf8(), value: avro<DigitPrediction>('digit-prediction') }),
])
