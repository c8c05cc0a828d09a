/** What every executor must keep when it loads, shares and lets go of models. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ModelSpec } from '../../src/models/executor.ts'
import { type CreateExecutor, checkDigits, digits, rejects, withModel } from '../support/executor-checks.ts'
import {
  digitsSpec,
  type Expectation,
  fill,
  modelSpec,
  readNdjson,
  tensor,
  writeDroppingModel,
} from '../support/model-specs.ts'

/** `living`: for tests that may share a lane. */
export function executorLoadingContract(name: string, create: CreateExecutor, living = create): void {
  const folder = mkdtempSync(join(tmpdir(), 'executor-contract-'))
  after(() => rmSync(folder, { recursive: true }))

  describe(`${name} executor: loading`, () => {
    test('a loaded model says what it is: tensors in declared order, size, checksum, provider', () =>
      withModel(living, digitsSpec(), async ({ loaded }) => {
        assert.deepEqual(loaded.inputs, [{ declared: 'x', name: 'x', dtype: 'float32', shape: [64] }])
        assert.deepEqual(
          loaded.outputs.map(({ declared, dtype, shape }) => [declared, dtype, shape]),
          [
            ['probabilities', 'float32', [10]],
            ['label', 'int64', []],
          ],
        )
        assert.equal(loaded.modelId, 'models/digits-mlp-v1.onnx')
        assert.equal(loaded.provider, 'cpu')
        assert.equal(loaded.sizeBytes, 2866)
        assert.equal(loaded.sha256, '118f4339ebb801549d889df14fcdac8add8afe79c1f4ea31e9300bded6a17b6e')
      }))

    test('a declaration without names takes the only input and the first output that fits', () =>
      withModel(living, digitsSpec('models/digits-mlp-v1.onnx', unnamed), async model => {
        assert.deepEqual(
          [...model.loaded.inputs, ...model.loaded.outputs].map(each => [each.declared, each.name, each.shape]),
          [
            ['', 'x', [64]],
            ['', 'probabilities', [10]],
          ],
        )
        const slot = model.acquire()!
        fill(slot, [digits[0]!.pixels])
        const { outputs } = await slot.run(0, 1)
        assert.equal(outputs.length, 1)
        assert.equal(outputs[0]!.data.length, 10)
        slot.release()
      }))

    test('a model that drops the batch dimension does not load', async () => {
      const spec = modelSpec(writeDroppingModel(folder, 1), { x: tensor('float32', 4) }, { y: tensor('float32', 4) })
      await rejectsLoad(spec, 'warm-up', '1 results for 2 rows')
    })

    for (const [what, spec, ...texts] of unusable) {
      test(`does not load: ${what}`, () => rejectsLoad(spec, ...texts))
    }

    async function rejectsLoad(spec: ModelSpec, ...texts: string[]): Promise<void> {
      const executor = living({ lanes: 1, maxBatchRows: 4 })
      const lane = executor.lanes[0]!
      try {
        await rejects(lane.load(spec), 'MODEL_UNUSABLE', spec.uri, ...texts)
        const model = await lane.load(digitsSpec())
        await model.runControl()
        await model.unload()
        assert.equal(lane.busyMs(), 0)
      } finally {
        await executor.close()
      }
    }

    test('a provider that is not there is passed over, and said to be', () =>
      withModel(living, digitsSpec('models/digits-mlp-v1.onnx', { providers: ['cuda', 'cpu'] }), async ({ loaded }) => {
        assert.equal(loaded.provider, 'cpu')
        assert.deepEqual(
          loaded.refusedProviders.map(({ provider }) => provider),
          ['cuda'],
        )
        assert.match(loaded.refusedProviders[0]!.reason, /\S/)
      }))

    test('equal specs share one copy, which stays until the last user unloads it', () =>
      withModel(living, digitsSpec(), async (model, executor) => {
        const again = await executor.lanes[0]!.load(digitsSpec())
        assert.equal(again.loaded, model.loaded)
        await again.unload()
        await again.unload()
        await model.runControl()
        await rejects(again.runControl(), 'BUG', 'unloaded')
        await model.unload()
        const fresh = await executor.lanes[0]!.load(digitsSpec())
        await fresh.runControl()
      }))

    test('two versions of a model live in one lane, each labelled with what it is', () =>
      withModel(living, digitsSpec(), async (first, executor) => {
        const second = await executor.lanes[0]!.load(digitsSpec('models/digits-mlp-v2.onnx'))
        const other = readNdjson<Expectation>('data/digits-mlp-v2.expected.ndjson')
        const slots = [first.acquire()!, second.acquire()!]
        for (const slot of slots)
          fill(
            slot,
            digits.slice(0, 40).map(({ pixels }) => pixels),
          )
        const [one, two] = await Promise.all(slots.map(slot => slot.run(0, 40)))
        checkDigits(one!, 0)
        assert.deepEqual([one!.modelId, two!.modelId], ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx'])
        assert.deepEqual(
          [...two!.outputs[1]!.data].map(Number),
          other.slice(0, 40).map(({ label }) => label),
        )
        for (const slot of slots) slot.release()
      }))

    test('close lets the calls that were made before it end, and refuses later ones', async () => {
      const executor = create({ lanes: 2, maxBatchRows: 256 })
      const models = await Promise.all(executor.lanes.map(lane => lane.load(digitsSpec())))
      const slots = models.flatMap(model => [model.acquire()!, model.acquire()!])
      for (const slot of slots)
        fill(
          slot,
          digits.slice(0, 256).map(({ pixels }) => pixels),
        )
      const running = slots.map(slot => slot.run(0, 256))
      const closed = executor.close()
      for (const outputs of await Promise.all(running)) checkDigits(outputs, 0)
      await closed
      await rejects(slots[0]!.run(0, 1), 'CLOSED')
      await rejects(executor.lanes[0]!.load(digitsSpec()), 'CLOSED')
      await executor.close()
    })

    test('an executor that never loaded anything closes', () => create({ lanes: 2, maxBatchRows: 1 }).close())
  })
}

const unnamed = { inputs: { '': tensor('float32', 64) }, outputs: { '': tensor('float32', 10) } }
const narrow = { x: tensor('float32', 64) }
const wide = { probabilities: tensor('float32', 10) }

/** Each: what is wrong, a spec, and what the message must say besides the file. */
const unusable: [string, ModelSpec, ...string[]][] = [
  ['a file that is missing', digitsSpec('models/no-such-model.onnx'), 'cannot be read', 'ENOENT'],
  ['a folder', digitsSpec('models'), 'cannot be read'],
  ['an empty file', digitsSpec('models/corrupt-empty.onnx'), 'empty'],
  ['random bytes', digitsSpec('models/corrupt-garbage.onnx'), 'cpu: ', 'protobuf', '1024 bytes'],
  ['half a file', digitsSpec('models/corrupt-truncated.onnx'), 'protobuf'],
  ['an operator that nobody has', digitsSpec('models/unsupported-op.onnx'), 'NoSuchActivation'],
  ['an opset from the future', digitsSpec('models/unsupported-opset.onnx'), 'Opset 99'],
  [
    'an input of another width',
    digitsSpec('models/digits-width32.onnx'),
    "input 'x'",
    'expected float32[64]',
    'batch,32',
  ],
  [
    'an output of another width',
    digitsSpec('models/digits-5class.onnx'),
    "output 'probabilities'",
    'float32[10]',
    'batch,5',
  ],
  [
    'an input of another type',
    modelSpec('models/digits-mlp-v1.onnx', { x: tensor('int64', 64) }, wide),
    'expected int64[64]',
    'float32',
  ],
  [
    'an input of another rank',
    modelSpec('models/digits-mlp-v1.onnx', { x: tensor('float32', 8, 8) }, wide),
    'float32[8,8]',
  ],
  [
    'an input that the model lacks',
    modelSpec('models/digits-mlp-v1.onnx', { image: tensor('float32', 64) }, wide),
    "'image'",
    "'x'",
  ],
  [
    'an output that the model lacks',
    modelSpec('models/digits-mlp-v1.onnx', narrow, { score: tensor('float32') }),
    "'score'",
    "'label'",
  ],
  [
    'no output that fits a declaration without a name',
    modelSpec('models/digits-mlp-v1.onnx', narrow, { '': tensor('float64', 10) }),
    'no output fits float64[10]',
  ],
  ['no provider at all', digitsSpec('models/digits-mlp-v1.onnx', { providers: [] }), 'none was given'],
  ['no provider that works', digitsSpec('models/digits-mlp-v1.onnx', { providers: ['cuda'] }), 'cuda: '],
]
