/** Every kind of node, with handlers of its own instead of model files, so that it runs. */
import { from, json, type KV, keyed, kv, modelHandler, topology, utf8 } from 'kafka-run-inference'

export interface Reading {
  readonly sensor: string
  readonly values: readonly number[]
}

const codecs = { key: utf8(), value: json<Reading>() }
const times = (factor: number) =>
  modelHandler({
    name: `times-${factor}`,
    loadModel: () => factor,
    runInference: (batch: readonly Reading[], by: number) => batch.map(({ values }) => by * (values[0] ?? 0)),
  })

const readings = from('readings', json<Reading>()).flatMap(
  ({ sensor, values }) => values.map(value => ({ sensor, values: [value] })),
  { maxFanOut: 4 },
)
const { small, large } = readings.branch({
  small: ({ values }) => values[0]! < 10,
  large: ({ values }) => values[0]! < 100,
  unread: () => true,
})
const products = small
  .merge(large.map(({ sensor }) => ({ sensor, values: [99] })))
  .repartition('by-sensor', ({ sensor }) => sensor, codecs)
  .runInference(
    'products',
    keyed([
      { keys: ['a'], handler: times(2) },
      { keys: ['b'], handler: times(3) },
    ]).withPostprocess(({ key, value }: KV<string, number>) => {
      if (value < 0) throw new RangeError('below zero')
      return kv(key, value)
    }),
  )

export default topology('every-node', [
  products.to('products', { key: utf8(), value: json<number>() }),
  products.failed
    .postprocess(0)
    .map(({ message }) => message)
    .to('complaints', utf8()),
])
