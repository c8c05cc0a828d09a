// Topologies that differ in one thing from another one of them, over the same records: { key: digits, value: float32(64) }.
import {
  float32,
  from,
  inference,
  integer,
  type KV,
  keyed,
  kv,
  onnx,
  type PredictionResult,
  text,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'

type Rows = KV<string, Float32Array>
type Prediction = PredictionResult<Float32Array, Float32Array>

const row = float32(64)
const probabilities = float32(10)
const keyedRows = { key: utf8(), value: row }
const keyedOutputs = { key: utf8(), value: probabilities }

/** Holds for about every fifth result: its last digits are as good as chance. */
const goesOn = ({ inference }: Prediction) => (inference[0]! * 10_000) % 1 < 0.2

export default withParameters(
  {
    shape: text('one of those below'),
    in: text('topic of rows'),
    out: text('topic of results'),
    models: text('paths of models, by commas'),
    applicationId: text('consumer group'),
    maxBatch: integer('most rows in a batch', 512),
  },
  ({ shape, in: source, out, models, applicationId, maxBatch }) => {
    const options = { batch: { maxSize: maxBatch } }
    const [first, ...others] = models.split(',').map(model => onnx({ model, input: row, output: probabilities }))
    const rest = others as (typeof first)[]
    const model = first!
    const result = ({ inference }: Prediction) => inference
    const keyedResult = ({ key, value }: KV<string, Prediction>) => kv(key, value.inference)
    const sinks = {
      /** Rows go as bytes from the fetch to the lane and from there to the output. */
      columnar: () => from(source, row).runInference('a', model, options).to(out, inference(probabilities)),
      /** The same with an object for each result. */
      rows: () => from(source, row).runInference('a', model.withPostprocess(result), options).to(out, probabilities),
      unkeyed: () => {
        const handler = model.withPreprocess(({ value }: Rows) => value).withPostprocess(result)
        return from(source, keyedRows).runInference('a', handler, options).to(out, probabilities)
      },
      keyed: () => {
        const handler = keyed(model)
          .withPreprocess(({ key, value }: Rows) => kv(key, value))
          .withPostprocess(keyedResult)
        return from(source, keyedRows).runInference('a', handler, options).to(out, keyedOutputs)
      },
      /** A model for each last digit of the key, in rotation. */
      perKey: () => {
        const mappings = [model, ...rest].map((handler, i) => ({ keys: [String(i)], handler: handler! }))
        const handler = keyed(mappings).withPostprocess(keyedResult)
        return from(source, keyedRows)
          .map(({ key, value }) => kv(key.slice(-1), value))
          .runInference('a', handler, options)
          .map(({ value }) => value)
          .to(out, probabilities)
      },
      /** The same, and one model for all keys. */
      oneForAllKeys: () =>
        from(source, keyedRows)
          .map(({ key, value }) => kv(key.slice(-1), value))
          .runInference('a', keyed(model).withPostprocess(keyedResult), options)
          .map(({ value }) => value)
          .to(out, probabilities),
      /** What one model is asked by everybody. */
      one: () => from(source, row).runInference('a', model, options).map(result).to(out, probabilities),
      /** The same, and every fifth goes on to another model. */
      cascade: () => {
        const { sure, unsure } = from(source, row)
          .runInference('a', model, options)
          .branch({ sure: result => !goesOn(result), unsure: () => true })
        const asked = unsure.map(({ example }) => example).runInference('b', rest[0]!, options)
        return sure.merge(asked).map(result).to(out, probabilities)
      },
    }
    return topology('shapes', [sinks[shape as keyof typeof sinks]()], { applicationId })
  },
)
