// Every model file that is broken or incompatible: what check says, and that run would have ended with the same.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { avro, float32, from, inference, int64, onnx, type TensorSpec, topology } from 'kafka-run-inference'
import { createTopologyDriver } from '../../src/testing/index.ts'
import { checkOffline } from '../support/check-offline.ts'

const PROBABILITIES = { probabilities: float32(10), label: int64() }

function digits(model: string, outputs: Readonly<Record<string, TensorSpec>> = PROBABILITIES, name = 'x') {
  const handler = onnx({ model: `models/${model}`, inputs: { [name]: float32(64) }, outputs })
  const codec = inference(undefined, Object.keys(outputs)[0]!)
  const rows = from('in', float32(64)).map(row => ({ [name]: row }))
  return topology('bad-model', [rows.runInference('classify', handler as never).to('out', codec as never)])
}

/** What the sentence must say: what is wrong, with what was expected and got where the two can be compared. */
const bad: readonly (readonly [what: string, graph: ReturnType<typeof digits>, says: readonly RegExp[]])[] = [
  ['is empty', digits('corrupt-empty.onnx'), [/corrupt-empty\.onnx is empty \(0 bytes\)/]],
  ['is cut off', digits('corrupt-truncated.onnx'), [/corrupt-truncated\.onnx/, /protobuf/i, /34705 bytes/]],
  ['is no model', digits('corrupt-garbage.onnx'), [/corrupt-garbage\.onnx/, /protobuf/i]],
  ['needs a newer opset', digits('unsupported-opset.onnx'), [/unsupported-opset\.onnx/, /opset 99|version 99|99/]],
  ['has an unknown operator', digits('unsupported-op.onnx'), [/unsupported-op\.onnx/, /NoSuchActivation/]],
  ['is not there', digits('digits-mlp-v9.onnx'), [/digits-mlp-v9\.onnx cannot be read/]],
  ['is a folder', digits('.'), [/cannot be read/, /EISDIR|directory/]],
  [
    'takes rows of another width',
    digits('digits-width32.onnx'),
    [/input 'x': expected float32\[64\] a row, got 'x' float32\[batch,32\]/],
  ],
  [
    'has another number of classes',
    digits('digits-5class.onnx'),
    [/output 'probabilities': expected float32\[10\] a row, got 'probabilities' float32\[batch,5\]/],
  ],
  [
    'has no such output',
    digits('digits-mlp-v1.onnx', { scores: float32(10) }),
    [/output 'scores' float32\[10\] is declared, but the model has only/],
  ],
  [
    'has another output type',
    digits('digits-mlp-v1.onnx', { probabilities: int64(10) }),
    [/output 'probabilities': expected int64\[10\] a row, got 'probabilities' float32\[batch,10\]/],
  ],
  [
    'has no such input, and one that is not declared',
    digits('digits-mlp-v1.onnx', PROBABILITIES, 'pixels'),
    [/input 'pixels' float32\[64\] is declared, but/, /input 'x' float32\[batch,64\] of the model is not declared/],
  ],
  [
    'takes another type',
    digits('digits-mlp-u8.onnx'),
    [/input 'x': expected float32\[64\] a row, got 'x' uint8\[batch,64\]/],
  ],
]

describe('a model file that', () => {
  for (const [what, graph, says] of bad) {
    test(`${what} is found by check, and refused by run`, async () => {
      const { problems, models } = await checkOffline(graph)
      assert.equal(problems.length, 1, JSON.stringify(problems))
      const [problem] = problems
      assert.partialDeepStrictEqual(problem!, {
        area: 'models',
        code: 'MODEL_UNUSABLE',
        where: 'model of step "classify"',
      })
      for (const text of says) assert.match(problem!.what, text)
      assert.ok(problem!.remedy.length > 10)
      assert.partialDeepStrictEqual(models, [{ ok: false, provider: null, steps: ['classify'] }])
      await assert.rejects(createTopologyDriver(graph), (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'MODEL_UNUSABLE')
        assert.ok(error.message.includes(problem!.what), error.message)
        return true
      })
    })
  }

  test('that several steps share is told of once, with all of them; other models are checked all the same', async () => {
    const handler = onnx({ model: 'models/digits-width32.onnx', input: float32(64), output: float32(10) })
    const good = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const rows = from('in', float32(64))
    const graph = topology('t', [
      rows.runInference('a', handler).to('a', inference()),
      rows.runInference('b', handler).to('b', inference()),
      rows.runInference('c', good).to('c', inference()),
    ])
    const { problems, models } = await checkOffline(graph)
    assert.equal(problems.length, 1)
    assert.deepEqual(
      models.map(({ steps, ok }) => ({ steps, ok })),
      [
        { steps: ['a', 'b'], ok: false },
        { steps: ['c'], ok: true },
      ],
    )
  })
})

describe('a model whose settings are problems already', () => {
  const raw = { model: 'models/digits-width32.onnx', input: float32(64), output: float32(10) }
  for (const [what, settings] of [
    ['isolation', { isolation: 'proces' }],
    ['providers', { providers: ['gpu'] }],
  ] as const) {
    test(`${what} is not loaded, so it is told once`, async () => {
      const rows = from('in', float32(64)).runInference('s', onnx({ ...raw, ...settings } as never) as never)
      const { problems, models } = await checkOffline(topology('bad', [rows.to('out', inference() as never)]))
      assert.deepEqual(
        problems.map(({ area, code, what: told }) => [area, code, told]),
        [['topology', 'TOPOLOGY_INVALID', `${what} cannot be used`]],
      )
      assert.deepEqual(models, [])
    })
  }

  test('a codec that is none is told once, and the other codecs are still looked at', async () => {
    const sink = from('in', undefined as never).to('out', avro('no-such-schema') as never)
    const { problems } = await checkOffline(topology('bad', [sink]))
    assert.deepEqual(
      problems.map(({ area }) => area),
      ['topology', 'schemas'],
    )
  })
})
