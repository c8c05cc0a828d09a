/** What every executor must keep for models of every kind: 16-bit floats, fixed batches, weights in other files, many in a lane. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { BatchOutputs } from '../../src/models/executor.ts'
import { type CreateExecutor, checkDigits, digits, rejects, withModel } from '../support/executor-checks.ts'
import { checkModel, EXPECTED_MODELS } from '../support/expected-models.ts'
import { digitsSpec, fill, modelSpec, tensor, writeDroppingModel, writeOpenModel } from '../support/model-specs.ts'
import {
  writeContradictoryModel,
  writeExternalModel,
  writeFixedEcho,
  writeMixingModel,
  writeWeights,
} from '../support/written-models.ts'

const ROWS = [
  [1, 10],
  [2, 20],
  [3, 30],
  [4, 40],
  [5, 50],
  [6, 60],
]

export function executorModelsContract(name: string, create: CreateExecutor): void {
  const folder = mkdtempSync(join(tmpdir(), 'executor-contract-'))
  after(() => rmSync(folder, { recursive: true }))

  describe(`${name} executor: kinds of models`, () => {
    for (const model of EXPECTED_MODELS) {
      test(`${model.name} gives the recorded results`, async () => void (await checkModel(create, model, 64)))
    }

    test('16-bit floats leave the global Float16Array as it is', async () => {
      const before = globalThis.Float16Array
      await checkModel(create, EXPECTED_MODELS.find(({ name }) => name === 'digits-mlp-fp16')!, 256)
      assert.equal(globalThis.Float16Array, before)
    })

    test('a fixed batch dimension: batches are split, and padding is zeros, never other rows of the slot', () =>
      withModel(create, mixing(4), async ({ loaded, acquire, runControl }) => {
        assert.equal(loaded.fixedRows, 4)
        const slot = acquire()!
        fill(slot, ROWS)
        for (const [from, rows] of [
          [0, 6],
          [1, 3],
          [0, 4],
          [5, 1],
          [2, 4],
          [0, 1],
          [0, 6],
        ] as const) {
          assert.deepEqual([...(await slot.run(from, rows)).outputs[0]!.data], mixed(from, rows, 4), `${from}+${rows}`)
        }
        await runControl()
        slot.release()
        const again = acquire()!
        fill(again, ROWS.slice(0, 2))
        assert.deepEqual([...(await again.run(0, 2)).outputs[0]!.data], mixed(0, 2, 4), 'nothing of the batch before')
        again.release()
      }))

    test('a fixed batch of strings and open lengths: parts are joined in order', () => {
      const spec = modelSpec(
        writeFixedEcho(folder, 2),
        { words: tensor('string', 2), x: tensor('float32', null) },
        { same_x: tensor('float32', null), same_words: tensor('string', 2) },
      )
      return withModel(create, spec, async model => {
        const slot = model.acquire()!
        const [words, x] = slot.prepare(3, [[2], [3]]) as [string[], Float32Array]
        words.push('a', 'b', 'c', 'd', 'e', 'f')
        x.set([1, 2, 3, 4, 5, 6, 7, 8, 9])
        assert.deepEqual(shown(await slot.run(0, 3)), [
          [[3], [1, 2, 3, 4, 5, 6, 7, 8, 9]],
          [[2], ['a', 'b', 'c', 'd', 'e', 'f']],
        ])
        assert.deepEqual(shown(await slot.run(2, 1)), [
          [[3], [7, 8, 9]],
          [[2], ['e', 'f']],
        ])
        slot.release()
      })
    })

    test('inputs whose fixed batch dimensions contradict each other do not load', () => {
      const column = tensor('float32', 1)
      const spec = modelSpec(writeContradictoryModel(folder), { a: column, b: column }, { y: column })
      return rejectsLoad(spec, 'different fixed batch dimensions', "'a' float32[2,1]", "'b' float32[8,1]")
    })

    test('a batch dimension of 0 does not load', () =>
      rejectsLoad(mixing(0), 'a batch dimension of 0', "'x' float32[0,2]"))

    test('weights in a file beside the model are loaded, and checksum and size cover them', () => {
      const home = join(folder, 'external')
      const uri = writeExternalModel(home, 'deep/weights.bin')
      const weights = writeWeights(home, 'deep/weights.bin')
      return withModel(create, external(uri), async model => {
        const both = Buffer.concat([readFileSync(uri), readFileSync(weights)])
        assert.equal(model.loaded.sizeBytes, both.length)
        assert.equal(model.loaded.sha256, createHash('sha256').update(both).digest('hex'))
        const slot = model.acquire()!
        fill(slot, [
          [1, 0, 0, 0],
          [0, 0, 1, 1],
        ])
        assert.deepEqual([...(await slot.run(0, 2)).outputs[0]!.data], [101, 202, 112, 214])
        slot.release()
      })
    })

    test('weights that are missing or too short: the message names both files', async () => {
      const uri = writeExternalModel(join(folder, 'bare'), 'weights.bin')
      await rejectsLoad(external(uri), "keeps weights in 'weights.bin'", 'cannot be read', 'ENOENT')
      writeWeights(join(folder, 'bare'), 'weights.bin', 40)
      await rejectsLoad(external(uri), "'weights.bin'", "too short: tensor 'w' ends at byte 48", 'got 40 bytes')
    })

    test('every warm-up size is run before the model is ready; a fixed batch dimension is the only size', async () => {
      const four = tensor('float32', 4)
      const keepsFour = (warmUpRows: readonly number[]) =>
        modelSpec(writeDroppingModel(folder, 4), { x: four }, { y: four }, { warmUpRows })
      await withModel(create, keepsFour([1, 4]), ({ runControl }) => runControl())
      await rejectsLoad(keepsFour([1, 6]), 'warm-up batch of 6 rows', "'y' holds 4 results for 6 rows")
      await rejectsLoad(keepsFour([6]), 'warm-up batch of 6 rows')
      await withModel(create, mixing(4, { warmUpRows: [3, 300] }), ({ runControl }) => runControl())
    })

    test('session options are passed on, and those that onnxruntime refuses are said', async () => {
      const options = { graphOptimizationLevel: 'disabled', executionMode: 'parallel', interOpNumThreads: 2 } as const
      const config = { 'session.use_env_allocators': '0' }
      const spec = digitsSpec(undefined, { sessionOptions: { ...options, enableMemPattern: false, config } })
      await withModel(create, spec, async model => {
        const slot = model.acquire()!
        fill(slot, [digits[0]!.pixels])
        checkDigits(await slot.run(0, 1), 0)
        slot.release()
      })
      const refused: Record<string, string> = { graphOptimizationLevel: 'bogus' }
      await rejectsLoad(digitsSpec(undefined, { sessionOptions: refused }), 'graphOptimizationLevel', 'bogus')
    })

    test('outputs are selected: those that are not declared are not fetched', () => {
      const spec = modelSpec('models/breast-cancer-lr.onnx', { x: tensor('float32', 30) }, { label: tensor('int64') })
      return withModel(create, spec, async model => {
        const slot = model.acquire()!
        fill(slot, [Array(30).fill(0)])
        const { outputs } = await slot.run(0, 1)
        assert.deepEqual(
          outputs.map(({ data, rowShape }) => [data.length, rowShape]),
          [[1, []]],
        )
        slot.release()
      })
    })

    test('ten sessions live in one lane, each its own; the others go, and the one in use stays', () =>
      withModel(create, digitsSpec(), async (used, executor) => {
        const lane = executor.lanes[0]!
        const open = modelSpec(writeOpenModel(folder), { x: tensor('float32', null) }, { y: tensor('float32', null) })
        const others = await Promise.all(
          Array.from({ length: 9 }, (_, index) => lane.load({ ...open, identifier: `copy ${index}` })),
        )
        for (const other of others) await other.runControl()
        const slot = used.acquire()!
        fill(
          slot,
          digits.slice(0, 16).map(({ pixels }) => pixels),
        )
        checkDigits(await slot.run(0, 16), 0)
        for (const other of others) await other.unload()
        await rejects(others[0]!.runControl(), 'BUG', 'unloaded')
        checkDigits(await slot.run(0, 16), 0)
        slot.release()
      }))

    async function rejectsLoad(spec: ReturnType<typeof modelSpec>, ...texts: string[]): Promise<void> {
      const executor = create({ lanes: 1, maxBatchRows: 4 })
      try {
        await rejects(executor.lanes[0]!.load(spec), 'MODEL_UNUSABLE', spec.uri, ...texts)
      } finally {
        await executor.close()
      }
    }

    function mixing(rows: number, change: Parameters<typeof modelSpec>[3] = {}) {
      const pair = tensor('float32', 2)
      return modelSpec(writeMixingModel(folder, rows), { x: pair }, { y: pair }, change)
    }
  })
}

function external(uri: string) {
  return modelSpec(uri, { x: tensor('float32', 4) }, { y: tensor('float32', 2) })
}

/** What the mixing model gives for these of ROWS in calls of `size`, padded with zeros. */
function mixed(from: number, rows: number, size: number): number[] {
  const results: number[] = []
  for (let at = from; at < from + rows; at += size) {
    const call = ROWS.slice(at, Math.min(at + size, from + rows))
    const sum = call.reduce(([a, b], [x, y]) => [a! + x!, b! + y!], [0, 0])
    results.push(...call.flatMap(([x, y]) => [x! + sum[0]!, y! + sum[1]!]))
  }
  return results
}

function shown({ outputs }: BatchOutputs): unknown[] {
  return outputs.map(({ data, rowShape }) => [rowShape, [...data]])
}
