/** A topology with a node of every kind, for what `describe` says of each. */
import { float32, from, json, keyed, kv, maybeKeyed, modelHandler, onnx, topology, utf8 } from 'kafka-run-inference'

interface Reading {
  readonly sensor: string
  readonly values: readonly number[]
}

const codecs = { key: utf8(), value: json<Reading>() }
const score = modelHandler({
  name: 'score',
  loadModel: () => 1,
  runInference: (batch: readonly Reading[], factor) => batch.map(({ values }) => factor * (values[0] ?? 0)),
  modelCopies: 1,
})
const small = onnx({ model: 'models/small.onnx', input: float32(2), output: float32(1) })
const large = onnx({ model: 'models/large.onnx', input: float32(2), output: float32(1), timeoutMs: 100 })

const readings = from('readings', json<Reading>()).flatMap(
  function halves({ sensor, values }) {
    const middle = values.length / 2
    return [values.slice(0, middle), values.slice(middle)].map(half => ({ sensor, values: half }))
  },
  { maxFanOut: 2 },
)
const { odd, even } = readings.branch({
  odd: ({ values }) => values.length % 2 === 1,
  even: ({ values }) => values.length > 0,
  unread: () => true,
})
const bySensor = odd.merge(even.map(reading => reading)).repartition('by-sensor', ({ sensor }) => sensor, codecs)
const predictions = bySensor
  .map(({ key, value }) => kv(key, Float32Array.from(value.values)))
  .runInference(
    'per-sensor',
    keyed(
      [
        { keys: ['a', 'b'], handler: small },
        { keys: ['c'], handler: large },
      ],
      { maxModelsPerWorker: 1 },
    ).withPostprocess(({ key, value }) => kv(key, [...value.inference])),
    {
      functions: 'worker',
      exceptionHandling: { failureUnit: 'batch', threshold: 0.1 },
      resourceHints: { minRam: '1GB' },
    },
  )
const scores = even.runInference('score', maybeKeyed(score), { modelIdentifier: 'shared', modelMetadata: true })
const sums = readings
  .keyBy(({ sensor }) => sensor)
  .map(({ value }) => [value])
  .runInference('sums', score.withNoBatching())

export default topology('every-node', [
  predictions.to('predictions', { key: utf8(), value: json<number[]>() }),
  predictions.failed.postprocess(0).to('unwritten', json()),
  predictions.failed.inference.filter(({ modelId }) => modelId !== undefined).to('refused', json()),
  scores.map(value => value as number).to('scores', json<number>()),
  sums.to('sums', json<number>()),
])
