/** What every executor must keep while lanes come and go. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Executor } from '../../src/models/executor.ts'
import { eventually } from '../support/eventually.ts'
import { type CreateExecutor, checkDigits, digits, rejects } from '../support/executor-checks.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

const v2 = digitsSpec('models/digits-mlp-v2.onnx')

export function executorSparesContract(name: string, create: CreateExecutor): void {
  describe(`${name} executor: spare lanes`, () => {
    const withTwo = async (use: (executor: Executor) => Promise<void>) => {
      const executor = create({ lanes: 2, maxBatchRows: 16 })
      try {
        await use(executor)
      } finally {
        await executor.close()
      }
    }

    test('E1: a spare lane is of the kind and seat of its like, and no lane of the executor before it is enlisted', () =>
      withTwo(async executor => {
        const { lanes } = executor
        const [first, second] = lanes
        assert.deepEqual(
          lanes.map(({ id, seat }) => [id, seat]),
          [
            [0, 0],
            [1, 1],
          ],
        )
        const spare = executor.spare(second!)
        assert.deepEqual([spare.id, spare.seat, spare.isolation], [2, 1, second!.isolation])
        assert.equal(executor.lanes.length, 2)
        executor.enlist(spare)
        assert.equal(executor.lanes, lanes, 'one list, that changes')
        assert.deepEqual(lanes, [first, second, spare])
        executor.retire(second!)
        assert.deepEqual(lanes, [first, spare])
        assert.equal(executor.spare(spare).seat, 1, 'the seat goes on')
      }))

    test('a spare lane loads another model while its like serves, and takes its place; the other one ends', () =>
      withTwo(async executor => {
        const [first] = executor.lanes
        const old = await first!.load(digitsSpec())
        const slot = old.acquire()!
        fill(slot, [digits[0]!.pixels])
        const spare = executor.spare(first!)
        const [loaded, outputs] = await Promise.all([spare.load(v2), slot.run(0, 1)])
        assert.equal(outputs.modelId, 'models/digits-mlp-v1.onnx')
        checkDigits(outputs, 0)
        executor.enlist(spare)
        slot.release()
        await old.unload()
        executor.retire(first!)
        assert.deepEqual(executor.leaving, [first])
        await eventually('its end', () => executor.leaving.length === 0)
        await rejects(first!.load(v2), 'CLOSED')
        const next = loaded.acquire()!
        fill(next, [digits[0]!.pixels])
        assert.equal((await next.run(0, 1)).modelId, 'models/digits-mlp-v2.onnx')
        next.release()
      }))

    test('E2: numbers of lanes that have ended are used again', () =>
      withTwo(async executor => {
        const seen = new Set<number>()
        for (let i = 0; i < 4; i++) {
          const [like] = executor.lanes
          const spare = executor.spare(like!)
          seen.add(spare.id)
          executor.enlist(spare)
          executor.retire(like!)
          await eventually('its end', () => executor.leaving.length === 0)
        }
        assert.ok(Math.max(...seen) <= 2, `${[...seen]}`)
      }))

    test('a spare lane whose load failed is retired like any other, and is in no list; strangers are refused', () =>
      withTwo(async executor => {
        const [first] = executor.lanes
        const spare = executor.spare(first!)
        await rejects(spare.load(digitsSpec('models/corrupt-garbage.onnx')), 'MODEL_UNUSABLE')
        executor.retire(spare)
        await eventually('its end', () => executor.leaving.length === 0)
        assert.equal(executor.lanes.length, 2)
        assert.throws(() => executor.enlist(spare), /BUG/)
        assert.throws(() => executor.spare(spare), /BUG/)
        executor.retire(spare)
      }))

    test('close ends spare lanes too, and makes no more', async () => {
      const executor = create({ lanes: 1, maxBatchRows: 16 })
      const [first] = executor.lanes
      const spare = executor.spare(first!)
      await spare.load(v2)
      await executor.close()
      await rejects(spare.load(v2), 'CLOSED')
      assert.throws(() => executor.spare(first!), /CLOSED/)
    })
  })
}
