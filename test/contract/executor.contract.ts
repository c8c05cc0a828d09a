/** What every executor must keep, whatever its lanes are made of. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { BatchOutputs, Executor, ExecutorOptions, LaneModel, ModelSpec } from '../../src/models/executor.ts'
import {
  type Digit,
  digitsSpec,
  type Expectation,
  fill,
  langidSpec,
  modelSpec,
  readNdjson,
  tensor,
  writeDroppingModel,
  writeOpenModel,
  writeStringModel,
  writeTwoInputModel,
} from '../support/model-specs.ts'

export function executorContract(name: string, create: (options: ExecutorOptions) => Executor): void {
  const folder = mkdtempSync(join(tmpdir(), 'executor-contract-'))
  after(() => rmSync(folder, { recursive: true }))
  const digits = readNdjson<Digit>('data/digits-test.ndjson')
  const expected = readNdjson<Expectation>('data/digits-mlp-v1.expected.ndjson')

  async function withModel(spec: ModelSpec, use: (model: LaneModel, executor: Executor) => Promise<void>, rows = 16) {
    const executor = create({ lanes: 1, maxBatchRows: rows })
    try {
      await use(await executor.lanes[0]!.load(spec), executor)
    } finally {
      await executor.close()
    }
  }

  function checkDigits({ outputs, rows }: BatchOutputs, from: number): void {
    const [probabilities, label] = outputs
    assert.deepEqual([probabilities!.rowShape, label!.rowShape], [[10], []])
    assert.deepEqual([probabilities!.data.length, label!.data.length], [rows * 10, rows])
    for (let row = 0; row < rows; row++) {
      const want = expected[from + row]!
      assert.equal(Number(label!.data[row]), want.label, want.id)
      for (const [column, probability] of want.probabilities.entries()) {
        const got = Number(probabilities!.data[row * 10 + column])
        assert.ok(Math.abs(got - probability) <= 1e-6, `${want.id}[${column}]: ${got} against ${probability}`)
      }
    }
  }

  function rejects(promise: Promise<unknown>, code: string, ...texts: string[]): Promise<void> {
    return assert.rejects(promise, (error: unknown) => {
      assert.ok(error instanceof RunInferenceError, `not one of ours: ${error}`)
      assert.equal(error.code, code, error.message)
      for (const text of texts) assert.ok(error.message.includes(text), `'${text}' in '${error.message}'`)
      assert.ok(error.stack, 'a stack that says where')
      return true
    })
  }

  describe(`${name} executor`, () => {
    for (const batch of [1, 7, 64, 256]) {
      test(`digits at batch ${batch} give the recorded labels and probabilities`, () =>
        withModel(digitsSpec(), async model => {
          for (let from = 0; from < digits.length; from += batch) {
            const rows = digits.slice(from, from + batch).map(({ pixels }) => pixels)
            const slot = model.acquire()!
            fill(slot, rows)
            const outputs = await slot.run(0, rows.length)
            assert.equal(outputs.modelId, 'models/digits-mlp-v1.onnx')
            assert.ok(outputs.computeMs >= 0 && outputs.queueMs >= 0, `${outputs.computeMs} ms, ${outputs.queueMs} ms`)
            checkDigits(outputs, from)
            slot.release()
          }
        }))
    }

    test('a loaded model says what it is: tensors in declared order, size, checksum, provider', () =>
      withModel(digitsSpec(), async ({ loaded }) => {
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
      withModel(digitsSpec('models/digits-mlp-v1.onnx', unnamed), async model => {
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

    test('any sub-range of a slot runs, again and again, and gives the same results as the whole', () =>
      withModel(digitsSpec(), async model => {
        const slot = model.acquire()!
        fill(
          slot,
          digits.slice(0, 16).map(({ pixels }) => pixels),
        )
        for (const [from, rows] of [
          [0, 16],
          [0, 8],
          [8, 8],
          [15, 1],
          [3, 5],
          [0, 16],
        ] as const) {
          checkDigits(await slot.run(from, rows), from)
        }
        slot.release()
      }))

    test('a lane has two places; they run one behind the other and do not touch each other', () =>
      withModel(digitsSpec(), async (model, executor) => {
        const lane = executor.lanes[0]!
        const first = model.acquire()!
        const second = model.acquire()!
        assert.deepEqual([model.acquire(), lane.occupied], [undefined, 2])
        fill(
          first,
          digits.slice(0, 5).map(({ pixels }) => pixels),
        )
        fill(
          second,
          digits.slice(100, 109).map(({ pixels }) => pixels),
        )
        const [a, b] = await Promise.all([first.run(0, 5), second.run(0, 9)])
        checkDigits(a, 0)
        checkDigits(b, 100)
        first.release()
        first.release()
        assert.equal(lane.occupied, 1)
        second.release()
        assert.equal(lane.occupied, 0)
      }))

    test('a slot grows when a batch needs more than it was sized for, and models of a lane share places', () =>
      withModel(
        digitsSpec(),
        async (model, executor) => {
          const langid = await executor.lanes[0]!.load(langidSpec())
          for (const count of [2, 300, 1, 540]) {
            const slot = model.acquire()!
            fill(
              slot,
              digits.slice(0, count).map(({ pixels }) => pixels),
            )
            checkDigits(await slot.run(0, count), 0)
            slot.release()
            const other = langid.acquire()!
            const [ids] = other.prepare(count, [[32]]) as [BigInt64Array]
            ids.fill(97n)
            assert.equal((await other.run(0, count)).outputs[0]!.data.length, count * 12)
            other.release()
          }
        },
        2,
      ))

    test('int64 rows: recorded results, and a poison row that fails every range that holds it', () =>
      withModel(langidSpec(), async model => {
        const names = readNdjson<{ text: string }>('data/langid-test.ndjson').slice(0, 8)
        const wanted = readNdjson<Expectation>('data/langid-int64.expected.ndjson')
        const slot = model.acquire()!
        const [ids] = slot.prepare(names.length, [[32]]) as [BigInt64Array]
        ids.fill(0n)
        for (const [row, { text }] of names.entries()) {
          for (const [column, letter] of [...text].slice(0, 32).entries()) {
            ids[row * 32 + column] = BigInt(Math.min(letter.codePointAt(0)!, 1279))
          }
        }
        const { outputs } = await slot.run(0, 8)
        assert.deepEqual(
          [...outputs[1]!.data].map(Number),
          wanted.slice(0, 8).map(({ label }) => label),
        )
        ids[5 * 32] = 0x1f600n
        await rejects(slot.run(0, 8), 'INFERENCE_FAILED', 'models/langid-int64.onnx', 'Gather')
        await rejects(slot.run(5, 1), 'INFERENCE_FAILED')
        const spared = await slot.run(0, 5)
        assert.deepEqual(
          [...spared.outputs[1]!.data].map(Number),
          wanted.slice(0, 5).map(({ label }) => label),
        )
        await model.runControl()
        slot.release()
      }))

    test('rows of another shape: SHAPE_MISMATCH names tensor, expected and got', () =>
      withModel(digitsSpec(), async model => {
        const slot = model.acquire()!
        for (const shape of [[32], [8, 8], []]) {
          slot.prepare(3, [shape])
          const got = `float32[${shape.join(',')}]`
          await rejects(slot.run(0, 3), 'SHAPE_MISMATCH', "input 'x'", 'expected float32[64]', `got ${got}`)
        }
        fill(slot, [digits[0]!.pixels])
        checkDigits(await slot.run(0, 1), 0)
        slot.release()
      }))

    test('open shapes: the outputs have the lengths of the inputs, batch by batch', () => {
      const spec = modelSpec(writeOpenModel(folder), { x: tensor('float32', null) }, { y: tensor('float32', null) })
      return withModel(spec, async model => {
        for (const width of [3, 1, 40]) {
          const slot = model.acquire()!
          fill(slot, [Array.from({ length: width }, (_, index) => index), Array(width).fill(7)])
          const { outputs } = await slot.run(0, 2)
          assert.deepEqual(outputs[0]!.rowShape, [width])
          assert.deepEqual(
            [...outputs[0]!.data],
            [...Array(width).keys()].map(each => each * 2).concat(Array(width).fill(14)),
          )
          slot.release()
        }
      })
    })

    test('several inputs lie in one slot, and sub-ranges take the same rows of each', () => {
      const inputs = { b: tensor('float32', 3), a: tensor('float32', 2) }
      return withModel(modelSpec(writeTwoInputModel(folder), inputs, { both: tensor('float32', 5) }), async model => {
        const slot = model.acquire()!
        const [b, a] = slot.prepare(3, [[3], [2]]) as [Float32Array, Float32Array]
        b.set([1, 2, 3, 4, 5, 6, 7, 8, 9])
        a.set([10, 20, 30, 40, 50, 60])
        assert.deepEqual([...(await slot.run(1, 2)).outputs[0]!.data], [30, 40, 4, 5, 6, 50, 60, 7, 8, 9])
        slot.release()
      })
    })

    test('strings travel both ways, in sub-ranges too', () => {
      const spec = modelSpec(writeStringModel(folder), { words: tensor('string', 2) }, { same: tensor('string', 2) })
      return withModel(spec, async model => {
        const slot = model.acquire()!
        const [words] = slot.prepare(3, [[2]]) as [string[]]
        words.push('a', 'é', 'b', '', 'c', '漢')
        assert.deepEqual([...(await slot.run(0, 3)).outputs[0]!.data], words)
        assert.deepEqual([...(await slot.run(1, 2)).outputs[0]!.data], ['b', '', 'c', '漢'])
        words.pop()
        await rejects(slot.run(0, 3), 'BUG', "'words' holds 5 strings, expected 6")
        slot.release()
      })
    })

    test('fewer results than rows: RESULT_COUNT', () => {
      const spec = modelSpec(writeDroppingModel(folder, 4), { x: tensor('float32', 4) }, { y: tensor('float32', 4) })
      return withModel(spec, async model => {
        const slot = model.acquire()!
        slot.prepare(6, [[4]])
        assert.equal((await slot.run(0, 4)).outputs[0]!.data.length, 16)
        await rejects(slot.run(0, 6), 'RESULT_COUNT', "output 'y' holds 4 results for 6 rows")
        slot.release()
      })
    })

    test('a model that drops the batch dimension does not load', async () => {
      const spec = modelSpec(writeDroppingModel(folder, 1), { x: tensor('float32', 4) }, { y: tensor('float32', 4) })
      await rejectsLoad(spec, 'warm-up', '1 results for 2 rows')
    })

    for (const [what, spec, ...texts] of unusable) {
      test(`does not load: ${what}`, () => rejectsLoad(spec, ...texts))
    }

    async function rejectsLoad(spec: ModelSpec, ...texts: string[]): Promise<void> {
      const executor = create({ lanes: 1, maxBatchRows: 4 })
      const lane = executor.lanes[0]!
      try {
        await rejects(lane.load(spec), 'MODEL_UNUSABLE', spec.uri, ...texts)
        const model = await lane.load(digitsSpec())
        await model.runControl()
        assert.equal(lane.busyMs(), 0)
      } finally {
        await executor.close()
      }
    }

    test('a provider that is not there is passed over, and said to be', () =>
      withModel(digitsSpec('models/digits-mlp-v1.onnx', { providers: ['cuda', 'cpu'] }), async ({ loaded }) => {
        assert.equal(loaded.provider, 'cpu')
        assert.deepEqual(
          loaded.refusedProviders.map(({ provider }) => provider),
          ['cuda'],
        )
        assert.match(loaded.refusedProviders[0]!.reason, /\S/)
      }))

    test('equal specs share one copy, which stays until the last user unloads it', () =>
      withModel(digitsSpec(), async (model, executor) => {
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
      withModel(digitsSpec(), async (first, executor) => {
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

    test('misuse of a slot is refused: a range outside, two calls at once, use after release', () =>
      withModel(digitsSpec(), async model => {
        const slot = model.acquire()!
        fill(slot, [digits[0]!.pixels])
        await rejects(slot.run(0, 2), 'BUG', 'run(0, 2)')
        await rejects(slot.run(0, 0), 'BUG')
        const running = slot.run(0, 1)
        await rejects(slot.run(0, 1), 'BUG', 'one call per slot')
        assert.throws(() => slot.prepare(1, [[64]]), /one call per slot/)
        checkDigits(await running, 0)
        slot.release()
        await rejects(slot.run(0, 1), 'BUG', 'released')
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
