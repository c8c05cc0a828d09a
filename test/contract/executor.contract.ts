/** What every executor must keep while it runs batches, whatever its lanes are made of. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { LANE_PLACES } from '../../src/models/executor.ts'
import { type CreateExecutor, checkDigits, digits, rejects, withModel } from '../support/executor-checks.ts'
import {
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

export function executorContract(name: string, create: CreateExecutor): void {
  const folder = mkdtempSync(join(tmpdir(), 'executor-contract-'))
  after(() => rmSync(folder, { recursive: true }))

  describe(`${name} executor: running`, () => {
    for (const batch of [1, 7, 64, 256]) {
      test(`digits at batch ${batch} give the recorded labels and probabilities`, () =>
        withModel(create, digitsSpec(), async model => {
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

    test('any sub-range of a slot runs, again and again, and gives the same results as the whole', () =>
      withModel(create, digitsSpec(), async model => {
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

    test('a lane has four places; they run one behind the other and do not touch each other', () =>
      withModel(create, digitsSpec(), async (model, executor) => {
        const lane = executor.lanes[0]!
        const first = model.acquire()!
        const second = model.acquire()!
        const others = [model.acquire()!, model.acquire()!]
        assert.deepEqual([model.acquire(), lane.occupied], [undefined, LANE_PLACES])
        for (const slot of others) slot.release()
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
        create,
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
      withModel(create, langidSpec(), async model => {
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
      withModel(create, digitsSpec(), async model => {
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
      return withModel(create, spec, async model => {
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

    test('rows for which there is no memory are DEVICE_MEMORY, and the slot can be used for others', () => {
      const spec = modelSpec(writeOpenModel(folder), { x: tensor('float32', null) }, { y: tensor('float32', null) })
      return withModel(create, spec, async model => {
        const slot = model.acquire()!
        assert.throws(() => slot.prepare(2, [[2 ** 48]]), { code: 'DEVICE_MEMORY', message: /2 rows, which needs/ })
        fill(slot, [[1], [2]])
        const { outputs } = await slot.run(0, 2)
        assert.deepEqual([...outputs[0]!.data], [2, 4])
        slot.release()
      })
    })

    test('several inputs lie in one slot, and sub-ranges take the same rows of each', () => {
      const inputs = { b: tensor('float32', 3), a: tensor('float32', 2) }
      return withModel(
        create,
        modelSpec(writeTwoInputModel(folder), inputs, { both: tensor('float32', 5) }),
        async model => {
          const slot = model.acquire()!
          const [b, a] = slot.prepare(3, [[3], [2]]) as [Float32Array, Float32Array]
          b.set([1, 2, 3, 4, 5, 6, 7, 8, 9])
          a.set([10, 20, 30, 40, 50, 60])
          assert.deepEqual([...(await slot.run(1, 2)).outputs[0]!.data], [30, 40, 4, 5, 6, 50, 60, 7, 8, 9])
          slot.release()
        },
      )
    })

    test('strings travel both ways, in sub-ranges too', () => {
      const spec = modelSpec(writeStringModel(folder), { words: tensor('string', 2) }, { same: tensor('string', 2) })
      return withModel(create, spec, async model => {
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
      return withModel(create, spec, async model => {
        const slot = model.acquire()!
        slot.prepare(6, [[4]])
        assert.equal((await slot.run(0, 4)).outputs[0]!.data.length, 16)
        await rejects(slot.run(0, 6), 'RESULT_COUNT', "output 'y' holds 4 results for 6 rows")
        slot.release()
      })
    })

    test('misuse of a slot is refused: a range outside, two calls at once, use after release', () =>
      withModel(create, digitsSpec(), async model => {
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
  })
}
