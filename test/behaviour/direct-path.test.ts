import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bytes,
  type Codec,
  type Decoder,
  type Encoder,
  float32,
  from,
  inference,
  type KV,
  keyed,
  kv,
  onnx,
  type PredictionResult,
  topology,
} from 'kafka-run-inference'
import type { Sink } from '../../src/stream.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const model = 'models/digits-mlp-v1.onnx'
const handler = onnx({ model, input: float32(64), output: float32(10) })
const ROWS = 6
const input = Array.from({ length: ROWS }, (_, i) => ({
  key: Buffer.from(`k${i}`),
  value: Buffer.from(new Float32Array(64).fill(i).buffer),
}))

type Row = Float32Array
type Prediction = PredictionResult<Row, Row>

/** How often values were decoded and outputs encoded one by one. */
interface Counts {
  decoded: number
  encoded: number
}

function countingDecoder(inner: Codec<Row>, counts: Counts): Decoder<Row> {
  return {
    label: inner.label,
    async openDecoder(context) {
      const opened = await inner.openDecoder(context)
      return {
        ...opened,
        decode(block, start, end) {
          counts.decoded++
          return opened.decode(block, start, end)
        },
      }
    },
  }
}

function countingEncoder(inner: Encoder<Prediction>, counts: Counts): Encoder<Prediction> {
  return {
    ...inner,
    async openEncoder(context) {
      const opened = await inner.openEncoder(context)
      return {
        ...opened,
        encode(value, into, at) {
          counts.encoded++
          return opened.encode(value, into, at)
        },
      }
    },
  }
}

type Build = (source: Decoder<Row>, sink: Encoder<Prediction>) => readonly Sink[]

async function run(
  build: Build,
  row = float32(64),
  output = inference(),
): Promise<Counts & { readonly outputs: number }> {
  const counts = { decoded: 0, encoded: 0 }
  let outputs = 0
  const graph = topology(
    't',
    build(countingDecoder(row, counts), countingEncoder(output as Encoder<Prediction>, counts)),
  )
  await onDriver(graph, async driver => {
    await feed(driver, input)
    outputs = (await driver.read('out')).length
  })
  return { ...counts, outputs }
}

describe('rows go straight from the fetch buffer to the model', () => {
  const taken: Record<string, Build> = {
    'where nothing stands between a bare source and its only step': (source, sink) => [
      from('in', source).runInference('s', handler).to('out', sink),
    ],
    'also when functions follow the model': (source, sink) => [
      from('in', source)
        .runInference(
          's',
          handler.withPostprocess(result => result),
        )
        .map(result => result)
        .to('out', sink),
    ],
  }
  for (const [name, build] of Object.entries(taken))
    it(name, async () => assert.deepEqual(pick(await run(build)), { decoded: 0, outputs: ROWS }))

  const notTaken: Record<string, Build> = {
    'a function between': (source, sink) => [
      from('in', source)
        .map(row => row)
        .runInference('s', handler)
        .to('out', sink),
    ],
    'a preprocess function': (source, sink) => [
      from('in', source)
        .runInference(
          's',
          handler.withPreprocess((row: Row) => row),
        )
        .to('out', sink),
    ],
    'a second branch': (source, sink) => {
      const rows = from('in', source)
      return [rows.runInference('s', handler).to('out', sink), rows.to('copies', float32(64))]
    },
    'a key codec': (source, sink) => [
      from('in', { key: bytes(), value: source })
        .runInference('s', keyed(handler))
        .map((element: KV<unknown, unknown>) => element.value as Prediction)
        .to('out', sink),
    ],
    'named tensors': (source, sink) => {
      const named = onnx({ model, inputs: { x: float32(64) }, outputs: { probabilities: float32(10) } })
      return [
        from('in', source)
          .runInference(
            's',
            named.withPreprocess((x: Row) => ({ x })),
          )
          .to('out', sink as never),
      ]
    },
  }
  for (const [name, build] of Object.entries(notTaken))
    it(`but not past ${name}`, async () => assert.deepEqual(pick(await run(build)), { decoded: ROWS, outputs: ROWS }))

  it('but not when the rows of the topic have another shape, be it of the same size', async () => {
    const build: Build = (source, sink) => [from('in', source).runInference('s', handler).to('out', sink)]
    assert.equal((await run(build, float32(8, 8))).decoded, ROWS)
    assert.equal((await run(build, float32(null))).decoded, ROWS)
  })
})

describe('rows go straight from the model to the output', () => {
  const plain: Build = (source, sink) => [from('in', source).runInference('s', handler).to('out', sink)]

  it('where a bare handler meets a sink that writes one output', async () => {
    for (const output of [inference(), inference(float32(10))])
      assert.deepEqual(await run(plain, float32(64), output), { decoded: 0, encoded: 0, outputs: ROWS })
  })

  it('also beside another branch, which takes them one by one', async () => {
    const counts = await run((source, sink) => {
      const predictions = from('in', source).runInference('s', handler)
      return [predictions.to('out', sink), predictions.map(({ inference: row }) => row).to('rows', float32(10))]
    })
    assert.deepEqual(counts, { decoded: 0, encoded: 0, outputs: ROWS })
  })

  it('but not when the shape of the codec must be checked row by row', async () => {
    assert.equal((await run(plain, float32(64), inference(float32(null)))).encoded, ROWS)
    const { encoded, outputs } = await run(plain, float32(64), inference(float32(5, 2)))
    assert.deepEqual([encoded, outputs], [ROWS, ROWS])
    assert.deepEqual(await run(plain, float32(64), inference(float32(7))), { decoded: 0, encoded: ROWS, outputs: 0 })
  })

  const notTaken: Record<string, Build> = {
    'a postprocess function': (source, sink) => [
      from('in', source)
        .runInference(
          's',
          handler.withPostprocess(result => result),
        )
        .to('out', sink),
    ],
    'a filter': (source, sink) => [
      from('in', source)
        .runInference('s', handler)
        .filter(() => true)
        .to('out', sink),
    ],
    'a key codec of the output': (source, sink) => [
      from('in', { key: bytes(), value: source })
        .runInference('s', keyed(handler))
        .map(element => kv(element.key as unknown as Uint8Array, element.value))
        .to('out', { key: bytes(), value: sink as never }),
    ],
  }
  for (const [name, build] of Object.entries(notTaken))
    it(`but not past ${name}`, async () => {
      const { encoded, outputs } = await run(build)
      assert.deepEqual([encoded, outputs], [ROWS, ROWS])
    })
})

function pick({ decoded, outputs }: { readonly decoded: number; readonly outputs: number }) {
  return { decoded, outputs }
}
