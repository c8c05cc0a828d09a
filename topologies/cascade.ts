// A cascade: the small model answers what it is sure of, the large one is asked about the rest; one topic has all the answers.
import {
  avro,
  float32,
  from,
  int64,
  integer,
  type KV,
  keyed,
  kv,
  onnx,
  type PredictionResult,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'
import type { Digit, DigitPrediction } from '../schemas/types.ts'

interface Image {
  readonly x: Float32Array | readonly number[]
}
interface Answer extends DigitPrediction {
  /** For whoever is asked next. Memory of the model: the next step copies it before the function returns. */
  readonly image: Image
}
type Outputs = { readonly probabilities: Float32Array; readonly label: BigInt64Array }

const answer = ({ key, value }: KV<string, PredictionResult<Image, Outputs>>): KV<string, Answer> => {
  const { example, inference, modelId } = value
  const { probabilities } = inference
  return kv(key, { id: key, label: Number(inference.label[0]), probabilities, modelId, image: example })
}
const prediction = ({ key, value }: KV<string, Answer>): KV<string, DigitPrediction> => {
  const { id, label, probabilities, modelId } = value
  return kv(key, { id, label, probabilities, modelId })
}

const model = (version: string) =>
  onnx({
    model: `models/digits-mlp-${version}.onnx`,
    inputs: { x: float32(64) },
    outputs: { probabilities: float32(10), label: int64() },
  })
const small = keyed(model('v1'))
  .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
  .withPostprocess(answer)
const large = keyed(model('v2'))
  .withPreprocess(({ key, value }: KV<string, Answer>) => kv(key, value.image))
  .withPostprocess(answer)

export default withParameters(
  { threshold: integer('the least probability, in percent, with which the small model is believed', 80, 0) },
  ({ threshold }) => {
    const { sure, unsure } = from('digits.images', { key: utf8(), value: avro<Digit>('digit') })
      .runInference('small', small)
      .branch({
        sure: ({ value }) => Math.max(...value.probabilities) * 100 >= threshold,
        unsure: () => true,
      })
    const answers = sure.merge(unsure.runInference('large', large)).map(prediction)
    return topology('cascade', [
      answers.to('digits.cascade', { key: utf8(), value: avro<DigitPrediction>('digit-prediction') }),
    ])
  },
)
