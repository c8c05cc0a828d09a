import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { encodeOnnx } from '../../bench/onnx-writer.ts'
import { float32 } from '../../src/kafka/tensor-codec.ts'
import { extraInputsOf } from '../../src/models/extra-inputs.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import type { OnnxModel } from '../../src/models/model-handler.ts'
import { modelSpecOf } from '../../src/models/model-handler.ts'
import { onnx } from '../../src/models/onnx-handler.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { type CreateExecutor, rejects, withModel } from '../support/executor-checks.ts'
import { fill } from '../support/model-specs.ts'

const folder = mkdtempSync(join(tmpdir(), 'extra-inputs-'))
after(() => rmSync(folder, { recursive: true }))

/** x[batch, 2] · times[1] + shift[2], where `times` is a whole number. */
function writeAffineModel(): string {
  const file = join(folder, 'affine.onnx')
  const graph = {
    inputs: [
      { name: 'x', dtype: 'float32', shape: ['batch', 2] },
      { name: 'times', dtype: 'int64', shape: [1] },
      { name: 'shift', dtype: 'float32', shape: [2] },
    ] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 2] }] as const,
    constants: [],
    nodes: [
      { op: 'Cast', inputs: ['times'], outputs: ['factor'], attributes: { to: 1 } },
      { op: 'Mul', inputs: ['x', 'factor'], outputs: ['product'] },
      { op: 'Add', inputs: ['product', 'shift'], outputs: ['y'] },
    ],
  }
  writeFileSync(file, encodeOnnx(graph))
  return file
}

const affine = onnx({ model: writeAffineModel(), inputs: { x: float32(2) }, outputs: { y: float32(2) } })
const specWith = (args: Record<string, unknown>) => modelSpecOf(affine.definition.cohorts[0].model as OnnxModel, args)
const create: CreateExecutor = options => createInThreadExecutor(options, { logger: silentLogger, clock: systemClock })
const createProcess: CreateExecutor = options =>
  createProcessExecutor(options, { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 })

describe('inferenceArgs of an ONNX model', () => {
  for (const [name, executor] of Object.entries({ thread: create, process: createProcess })) {
    test(`are inputs that every call is fed, beside those of its rows (${name})`, () =>
      withModel(executor, specWith({ times: 3, shift: [0.5, Number.POSITIVE_INFINITY] }), async model => {
        assert.equal(model.loaded.fixedRows, undefined)
        assert.deepEqual(
          model.loaded.inputs.map(input => input.name),
          ['x'],
        )
        const slot = model.acquire()!
        fill(slot, [
          [1, 2],
          [3, 4],
          [5, 6],
        ])
        assert.deepEqual([...(await slot.run(0, 3)).outputs[0]!.data], [3.5, Infinity, 9.5, Infinity, 15.5, Infinity])
        assert.deepEqual([...(await slot.run(2, 1)).outputs[0]!.data], [15.5, Infinity])
        await model.runControl()
        slot.release()
      }))
  }

  test('tell models apart; equal ones are one copy', () => {
    const identifier = (args: Record<string, unknown>) => specWith(args).identifier
    assert.equal(identifier({ times: 3, shift: [1, 2] }), identifier({ times: 3, shift: new Float32Array([1, 2]) }))
    assert.notEqual(identifier({ times: 3, shift: [1, 2] }), identifier({ times: 3, shift: [1, Number.NaN] }))
    assert.equal(identifier({}), modelSpecOf(affine.definition.cohorts[0].model).identifier)
  })

  for (const [what, args, text] of [
    [
      'that the model does not know',
      { times: 1, shift: [0, 0], tmies: 1 },
      'inferenceArgs.tmies: the model has no such input, only x, times, shift',
    ],
    ['that rows feed', { times: 1, shift: [0, 0], x: [[1, 2]] }, 'inferenceArgs.x: rows feed this input already'],
    [
      'of another shape',
      { times: 1, shift: [0, 0, 0] },
      'inferenceArgs.shift: expected float32[2], got [3] of "0, 0, 0"',
    ],
    ['of another type', { times: 1.5, shift: [0, 0] }, 'inferenceArgs.times: expected int64[1], got [] of "1.5"'],
    ['that are missing', { times: 1 }, "input 'shift' float32[2] of the model is not declared"],
  ] as const) {
    test(`${what} are MODEL_UNUSABLE`, async () => {
      const executor = create({ lanes: 1, maxBatchRows: 1 })
      await rejects(executor.lanes[0]!.load(specWith(args)), 'MODEL_UNUSABLE', text)
      await executor.close()
    })
  }

  test('cannot take the place of the only input of a model, which the declaration does not name', async () => {
    const { definition } = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const spec = modelSpecOf(definition.cohorts[0].model, { x: [Array(64).fill(1)] })
    const load = withModel(create, spec, async () => {})
    await rejects(load, 'MODEL_UNUSABLE', 'inferenceArgs.x: rows feed this input already')
  })

  test('are numbers, texts, and lists of them', () => {
    const good = {
      a: 1n,
      b: true,
      c: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      d: new BigInt64Array([7n]),
      e: ['x', 'y'],
      f: [],
    }
    assert.deepEqual(extraInputsOf(good), {
      a: { shape: [], elements: ['1'] },
      b: { shape: [], elements: ['1'] },
      c: { shape: [3, 2], elements: ['1', '2', '3', '4', '5', '6'] },
      d: { shape: [1], elements: ['7'] },
      e: { shape: [2], elements: ['x', 'y'] },
      f: { shape: [0], elements: [] },
    })
    for (const bad of [{}, null, undefined, [[1], [1, 2]], [1, [2]], [{}], () => 0])
      assert.throws(() => extraInputsOf({ bad }), {
        code: 'MODEL_UNUSABLE',
        message: /inferenceArgs\.bad: expected a number/,
      })
  })
})
