import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  type BatchOptions,
  type Dtype,
  float32,
  from,
  int64,
  onnx,
  padded,
  type TensorSpec,
  topology,
  utf8,
} from 'kafka-run-inference'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { onDriver } from '../support/on-driver.ts'
import { type MaskedMean, writeMaskedFrames, writeMaskedMean } from '../support/ragged-models.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-padding-'))
after(() => rmSync(folder, { recursive: true }))

const fill = { with: 99n, mask: 'attention_mask' }

/** `1,2,3` in → `1,2,3 mean 2 masked 1,2,3` out: the example as the postprocess function sees it, and both outputs. */
function meanTopology(
  model: MaskedMean,
  options: { readonly batch?: BatchOptions<string>; readonly multipleOf?: number } = {},
) {
  const { multipleOf = 1, batch = {} } = options
  const mean = onnx({
    model: writeMaskedMean(folder, model),
    inputs: { ids: padded(int64(null), { ...fill, multipleOf }) },
    outputs: { mean: float32(), masked: float32(null) },
  })
    .withPreprocess((text: string) => ({ ids: idsOf(text) }))
    .withPostprocess(({ example, inference }) => {
      const { mean, masked } = inference
      return `${Object.keys(example)} ${example.ids.join()} mean ${mean[0]} masked ${masked.join()}`
    })
  return topology('t', [from('in', utf8()).runInference('s', mean, { batch }).to('out', utf8())])
}

function idsOf(text: string): BigInt64Array {
  return BigInt64Array.from(text.split(',').filter(Boolean), BigInt)
}

const texts = (values: readonly string[]) => values.map(value => ({ value: Buffer.from(value) }))

/** What comes out, and how the batches were: `reason rows padding bytes`. */
async function run(graph: ReturnType<typeof meanTopology>, values: readonly string[]) {
  const batches: string[] = []
  const metrics = {
    ...nullMetrics,
    batchDispatched: (_: string, reason: string, rows: number, __: unknown, padding: number) =>
      void batches.push(`${reason} ${rows} ${padding}`),
  }
  let out: unknown[] = []
  let failed: string[] = []
  await onDriver(
    graph,
    async driver => {
      await driver.pipe('in', texts(values))
      await driver.advance(1_000)
      out = (await driver.read('out')).map(({ value }) => value)
      failed = (await driver.read('t.s.failed-inference')).map(({ headers }) => headers['kri-error-message']!)
    },
    { metrics },
  )
  return { out, batches, failed }
}

describe('padding', () => {
  for (const maskType of ['int64', 'float32', 'uint8'] as const) {
    it(`G1, G2: rows of different lengths share a batch, and a mask of ${maskType} leaves the padding out`, async () => {
      const { out, batches } = await run(meanTopology({ maskType }), ['1,2,3', '8', '5,6', '1,2,3,4,5'])
      assert.deepEqual(out, [
        'ids 1,2,3 mean 2 masked 1,2,3,0,0',
        'ids 8 mean 8 masked 8,0,0,0,0',
        'ids 5,6 mean 5.5 masked 5,6,0,0,0',
        'ids 1,2,3,4,5 mean 3 masked 1,2,3,4,5',
      ])
      const maskBytes = { int64: 8, float32: 4, uint8: 1 }[maskType]
      assert.deepEqual(batches, [`idle 4 ${9 * (8 + maskBytes)}`])
    })
  }

  it('G3: results do not depend on what a row shares its batch with', async () => {
    const rows = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 1 + ((i * 7) % 13) }, (_, k) => i + k).join(),
    )
    const withoutMasked = ({ out }: { out: unknown[] }) => out.map(line => String(line).replace(/ masked .*/, ''))
    const alone = withoutMasked(await run(meanTopology({}, { batch: { maxSize: 1 } }), rows))
    for (const batch of [{ maxSize: 7 }, { maxSize: 64 }, { maxSize: 64, bucketBy: { boundaries: [4, 8] } }])
      assert.deepEqual(withoutMasked(await run(meanTopology({}, { batch }), rows)), alone)
  })

  it('rounds the length up to a multiple; a length that the model fixes holds always', async () => {
    const rounded = await run(meanTopology({}, { multipleOf: 4 }), ['1,2,3,4,5', '7'])
    assert.deepEqual(rounded.out, [
      'ids 1,2,3,4,5 mean 3 masked 1,2,3,4,5,0,0,0',
      'ids 7 mean 7 masked 7,0,0,0,0,0,0,0',
    ])
    const fixed = await run(meanTopology({ length: 4 }), ['1,2,3', '7', '1,2,3,4,5'])
    assert.deepEqual(fixed.out, ['ids 1,2,3 mean 2 masked 1,2,3,0', 'ids 7 mean 7 masked 7,0,0,0'])
    assert.match(fixed.failed.join(), /a row has length 5, but the model takes 4 at most/)
  })

  it('a model with a fixed batch dimension is padded both ways', async () => {
    const { out } = await run(meanTopology({ rows: 2 }), ['1,2,3', '8', '5,6'])
    assert.deepEqual(out, [
      'ids 1,2,3 mean 2 masked 1,2,3',
      'ids 8 mean 8 masked 8,0,0',
      'ids 5,6 mean 5.5 masked 5,6,0',
    ])
  })

  it('buckets by length bound the padding, and maxBytes counts it', async () => {
    const rows = ['1,2,3,4,5,6,7,8', '1', '1,2,3,4,5,6,7', '2']
    const bucketed = await run(meanTopology({}, { batch: { bucketBy: { boundaries: [4] } } }), rows)
    assert.deepEqual(bucketed.batches, ['idle 2 16', 'idle 2 0'])
    // Three rows of eight ids and a mask of eight are 384 bytes.
    const limited = await run(meanTopology({}, { batch: { maxBytes: 384 } }), rows)
    assert.deepEqual(limited.batches, ['bytes 3 128', 'idle 1 0'])
  })

  it('a bad row is found among padded ones: an empty row harms only itself', async () => {
    const { out, failed } = await run(meanTopology({}), ['1,2', '', '3'])
    assert.deepEqual(out, ['ids 1,2 mean 1.5 masked 1,2', 'ids 3 mean 3 masked 3,0'])
    assert.match(failed.join(), /input tensor "ids": expected int64\[\?\], got 0 elements/)
  })

  it('padded inputs of one row have one length', async () => {
    const types = padded(int64(null), { with: 1n })
    const both = onnx({
      model: writeMaskedMean(folder, { types: true }),
      inputs: { ids: padded(int64(null), fill), types },
      outputs: { mean: float32() },
    })
      .withPreprocess((text: string) => {
        const [ids, types] = text.split('/')
        return { ids: idsOf(ids!), types: idsOf(types!) }
      })
      .withPostprocess(({ inference }) => String(inference.mean[0]))
    const graph = topology('t', [from('in', utf8()).runInference('s', both).to('out', utf8())])
    const { out, failed } = await run(graph, ['1,2,3/10,10,10', '5/0', '1,2/0'])
    assert.deepEqual(out, ['12', '5'])
    assert.match(failed.join(), /padded inputs of one row must have one length: "ids" has 2, "types" has 1/)
  })

  it('an inner open dimension is padded piece by piece', async () => {
    const frames = onnx({
      model: writeMaskedFrames(folder),
      inputs: { frames: padded(float32(2, null, 3), { with: 1_000, mask: 'mask' }) },
      outputs: { sums: float32(2, 3) },
    })
      .withPreprocess((text: string) => ({ frames: text.split(',').map(Number) }))
      .withPostprocess(({ inference }) => inference.sums.join())
    const graph = topology('t', [from('in', utf8()).runInference('s', frames).to('out', utf8())])
    const short = '1,2,3,4,5,6'
    const long = '1,2,3,10,20,30,4,5,6,40,50,60'
    assert.deepEqual((await run(graph, [short, long])).out, ['1,2,3,4,5,6', '11,22,33,44,55,66'])
  })

  it('a bare tensor can be padded too: the mask is no example', async () => {
    const mean = onnx({
      model: writeMaskedMean(folder),
      input: padded(int64(null), fill),
      output: float32(),
    })
      .withPreprocess((text: string) => idsOf(text))
      .withPostprocess(({ example, inference }) => `${example.join()} ${inference[0]}`)
    const graph = topology('t', [from('in', utf8()).runInference('s', mean).to('out', utf8())])
    assert.deepEqual((await run(graph, ['4,6', '1'])).out, ['4,6 5', '1 1'])
  })
})

describe('padding that cannot be', () => {
  it('a mask that the model has not, or has otherwise, is told before the first record', async () => {
    const graph = (mask: string, input: TensorSpec<Dtype>) =>
      topology('t', [
        from('in', utf8())
          .runInference(
            's',
            onnx({
              model: writeMaskedFrames(folder),
              inputs: { frames: padded(input as TensorSpec<'float32'>, { with: 0, mask }) },
              outputs: { sums: float32(2, 3) },
            }).withPreprocess((_: string) => ({ frames: [1] })),
          )
          .map(() => 'x')
          .to('out', utf8()),
      ])
    await assert.rejects(
      run(graph('masque', float32(2, null, 3)), []),
      /mask 'masque' is declared, but the model has only/,
    )
    await assert.rejects(run(graph('frames', float32(2, null, 3)), []), /input "frames" is the mask/)
  })
})
