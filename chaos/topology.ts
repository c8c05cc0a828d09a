// Two steps with a topic between them, an ONNX model and a handler in TypeScript; marked records fail where their mark says.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  avro,
  float32,
  from,
  json,
  type KV,
  keyed,
  kv,
  modelHandler,
  onnx,
  type PredictionResult,
  predictionResult,
  text,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'
import { EXAMPLE_WIDTH, MARKS, type Mark, SCORE_WIDTH } from './events.ts'

interface Event {
  readonly key: number
  readonly number: number
  readonly mark: number
  readonly digits: readonly number[]
}
/** On the topic between: what entered the first model, and what it said. */
interface Scored {
  readonly example: readonly number[]
  readonly scores: readonly number[]
  readonly modelId: string
}
interface Total extends Scored {
  readonly total: number
  readonly totalledBy: string
}

/** Of an example; the model is fed its mark like any other number. */
const MARK_AT = 2
const failAt = (mark: Mark, example: ArrayLike<number>) => {
  if (example[MARK_AT] === MARKS.indexOf(mark)) throw new RangeError(`marked to fail: ${mark}`)
}
/** So that rows are in flight when something happens: a model that takes its time, and no processor. */
const COMPUTE_MS = 8
const MODULUS = 65_521

const totaller = modelHandler<Scored, PredictionResult<Scored, number>, { readonly modulus: number }>({
  name: 'totaller',
  loadModel: () => ({ modulus: MODULUS }),
  async runInference(batch, { modulus }) {
    await sleep(COMPUTE_MS)
    for (const { example } of batch) failAt('second-inference', example)
    return batch.map(scored => {
      const total = scored.scores.reduce((sum, score) => (((sum * 31 + score) % modulus) + modulus) % modulus, 7)
      return predictionResult(scored, total, 'totaller')
    })
  },
  controlBatch: () => [{ example: [0, 0, 0], scores: [1], modelId: '' }],
})

export default withParameters(
  { name: text('of the topology: prefix of topics, and consumer group'), model: text('path of the first model') },
  ({ name, model }) => {
    const scorer = keyed(
      onnx({ model, inputs: { x: float32(EXAMPLE_WIDTH) }, outputs: { scores: float32(SCORE_WIDTH) } }),
    )
      .withPreprocess(({ key, value }: KV<string, Event>) => {
        const example = [value.key, value.number, value.mark, ...value.digits]
        failAt('first-preprocess', example)
        const width = example[MARK_AT] === MARKS.indexOf('first-shape') ? EXAMPLE_WIDTH - 1 : EXAMPLE_WIDTH
        return kv(key, { x: Float32Array.from(example.slice(0, width)) })
      })
      .withPostprocess(({ key, value: { example, inference, modelId } }): KV<string, Scored> => {
        const x = Array.from(example.x as ArrayLike<number>)
        failAt('first-postprocess', x)
        return kv(key, { example: x, scores: Array.from(inference.scores), modelId: modelId.split('/').at(-1)! })
      })
    const second = keyed(totaller)
      .withPreprocess(({ key, value }: KV<string, Scored>) => {
        failAt('second-preprocess', value.example)
        return kv(key, value)
      })
      .withPostprocess(({ key, value }: KV<string, PredictionResult<Scored, number>>): KV<string, Total> => {
        const { example, inference: total, modelId: totalledBy } = value
        failAt('second-postprocess', example.example)
        return kv(key, { ...example, total, totalledBy })
      })
    const batch = { minSize: 16, maxSize: 64, maxWaitMs: 60 }
    const totals = from(`${name}.in`, { key: utf8(), value: avro<Event>('chaos-event') })
      .runInference('first', scorer, { batch })
      .through(`${name}.between`, { key: utf8(), value: json<Scored>() })
      .runInference('second', second, { batch })
    return topology(name, [totals.to(`${name}.out`, { key: utf8(), value: json<Total>() })])
  },
)
