// Two models compared on one stream: both on every record, or, with --param split=20, one of them on that share of the keys.
import { createHash } from 'node:crypto'
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
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'
import type { Digit, DigitPrediction } from '../schemas/types.ts'

const SALT = 'ab-test'

const classifier = (version: string) =>
  keyed(
    onnx({
      model: `models/digits-mlp-${version}.onnx`,
      inputs: { x: float32(64) },
      outputs: { probabilities: float32(10), label: int64() },
    }),
  )
    .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
    .withPostprocess(({ key, value: { inference, modelId } }): KV<string, DigitPrediction> => {
      return kv(key, { id: key, label: Number(inference.label[0]), probabilities: inference.probabilities, modelId })
    })

/** Of 100, by the key alone: always the same for a key. Not the hash that chooses partitions, or whole partitions would go one way. */
function percentileOf(key: string): number {
  return createHash('sha256').update(SALT).update(key).digest().readUInt32BE() % 100
}

export default withParameters(
  { split: integer('percent of the keys that go to model b alone, the others to model a; 0: all go to both', 0, 0) },
  ({ split }) => {
    const images = from('digits.images', { key: utf8(), value: avro<Digit>('digit') })
    const ways =
      split === 0
        ? { a: images, b: images }
        : images.branch({ b: ({ key }) => percentileOf(key) < split, a: () => true })
    const predictions = ways.a.runInference('a', classifier('v1')).merge(ways.b.runInference('b', classifier('v2')))
    return topology('ab-test', [
      predictions.to('digits.ab-test', { key: utf8(), value: avro<DigitPrediction>('digit-prediction') }),
    ])
  },
)
