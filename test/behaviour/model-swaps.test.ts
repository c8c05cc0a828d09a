import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { DriverOptions, TopologyDriver } from '../../src/testing/index.ts'
import {
  addedBy,
  addingTopology,
  type Changes,
  changesOf,
  numbers,
  scored,
  writeAddingModels,
} from '../support/changing-models.ts'
import { feed, onFaultyDriver } from '../support/on-driver.ts'

const { paths, wide, missing } = writeAddingModels(3)
const [first, second, third] = paths as [string, string, string]

type Course = (driver: TopologyDriver, changes: Changes, executor: FaultyExecutor) => Promise<void>

async function running(course: Course, options: DriverOptions = {}, batch = {}): Promise<void> {
  let changes: Changes | undefined
  const onModelsOpened: DriverOptions['onModelsOpened'] = steps => {
    changes = changesOf(steps)
  }
  await onFaultyDriver(addingTopology(first, batch), (driver, executor) => course(driver, changes!, executor), {
    ...options,
    onModelsOpened,
  })
}

/** Number of the model that each output says it comes from, after it was checked that it does. */
async function models(driver: TopologyDriver): Promise<number[]> {
  return (await scored(driver)).map(({ modelId, x, y }) => {
    const n = paths.indexOf(modelId)
    assert.equal(y - x, addedBy(n), `${modelId} says it gave ${y} for ${x}`)
    return n
  })
}

const lanesOf = ({ lanes }: FaultyExecutor) => lanes.map(({ seat }) => seat).sort()
const transient = new RunInferenceError('MODEL_TRANSIENT', 'again, please')

describe('a model that is replaced while its step runs', () => {
  it('W2: batches formed before the switch have the old model, those formed after it the new one; then only the new lanes are there', () =>
    running(
      async (driver, changes, executor) => {
        await feed(driver, numbers([1, 2]))
        const release = executor.hang()
        await driver.pipe('in', numbers([3, 4]))
        const prepared = await changes.prepare(second)
        assert.equal(prepared.modelId, second)
        await feed(driver, numbers([5]))
        const before = [...executor.lanes]
        prepared.serve()
        await driver.pipe('in', numbers([6, 7]))
        assert.equal(executor.lanes.length, 4, 'old ones have something to do')
        const busy = executor.lanes.filter(({ occupied }) => occupied > 0)
        assert.deepEqual(busy, before, 'P3: the new ones wait for their seats')
        release()
        await driver.advance(1_000)
        assert.deepEqual(await models(driver), [0, 0, 0, 0, 0, 1, 1])
        assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0, 1], 0])
        assert.ok(!executor.lanes.some(lane => before.includes(lane)))
        assert.deepEqual(
          driver.running.health().models.map(({ modelId, lanes }) => [modelId, lanes]),
          [[second, 2]],
        )
      },
      { lanes: 2 },
      { maxSize: 1 },
    ))

  it('I3: a batch that is tried again ends on the model that it began on', () =>
    running(async (driver, changes, executor) => {
      executor.failRuns(2, transient)
      await driver.pipe('in', numbers([1, 2]))
      await driver.idle()
      await changes.change(second)
      await feed(driver, numbers([3]))
      await driver.advance(5_000)
      assert.deepEqual(await models(driver), [0, 0, 1])
      assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0], 0])
    }))

  it('I3: a batch that is searched ends on the model that it began on', () =>
    running(async (driver, changes, executor) => {
      executor.failRowsWhere(([x]) => x![0] === 13)
      const release = executor.hang()
      await driver.pipe('in', numbers([1, 13, 2, 3]))
      await changes.change(second)
      release()
      await feed(driver, numbers([4]))
      await driver.advance(1_000)
      assert.deepEqual(await models(driver), [0, 0, 0, 1])
      assert.deepEqual(
        driver.failures.map(({ code }) => code),
        ['INFERENCE_FAILED'],
      )
    }))

  it('rows that an outage of the old lane put back go to the new model, and the old one is let go', () =>
    running(async (driver, changes, executor) => {
      const release = executor.hang()
      await driver.pipe('in', numbers([1, 2]))
      await changes.change(second)
      executor.lose(0)
      release()
      await driver.advance(10_000)
      assert.deepEqual(await models(driver), [1, 1])
      assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0], 0])
    }))

  it('W1: one that cannot be loaded, or has another signature, changes nothing and leaves nothing behind', () =>
    running(
      async (driver, changes, executor) => {
        for (const [path, why] of [
          [missing, /MODEL_UNUSABLE.*missing\.onnx/],
          ['models/corrupt-garbage.onnx', /MODEL_UNUSABLE.*corrupt-garbage/],
          [wide, /MODEL_UNUSABLE.*wide\.onnx/],
        ] as const) {
          await assert.rejects(changes.prepare(path), why)
          await feed(driver, numbers([1]))
        }
        await driver.advance(1_000)
        assert.deepEqual(await models(driver), [0, 0, 0])
        assert.deepEqual([executor.lanes.length, executor.leaving.length, changes.models.specOf(0)?.uri], [2, 0, first])
      },
      { lanes: 2 },
    ))

  it('a load that was cancelled, or is discarded when it has ended, changes nothing', () =>
    running(async (driver, changes, executor) => {
      const stop = new AbortController()
      const loading = changes.prepare(second, 0, { signal: stop.signal })
      stop.abort()
      await assert.rejects(loading, /CLOSED.*cancelled/)
      await assert.rejects(changes.prepare(second, 0, { signal: stop.signal }), /CLOSED.*cancelled/)
      const prepared = await changes.prepare(third)
      prepared.discard()
      assert.throws(() => prepared.serve(), /BUG/)
      await feed(driver, numbers([1]))
      assert.deepEqual(await models(driver), [0])
      assert.deepEqual([executor.lanes.length, executor.leaving.length], [1, 0])
    }))

  it('several in a row: the last one serves, and the lanes are as many as at first', () =>
    running(
      async (driver, changes, executor) => {
        for (const path of [second, third, first, third, second]) {
          await changes.change(path)
          await feed(driver, numbers([1, 2]))
        }
        assert.deepEqual(await models(driver), [1, 1, 2, 2, 0, 0, 2, 2, 1, 1])
        assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0, 1], 0])
        assert.ok(executor.lanes.every(({ id }) => id < 4))
      },
      { lanes: 2 },
    ))
})

describe('a candidate beside the model of a step', () => {
  it('W4: has lanes of its own, takes the place of the stable model without a load, or leaves', () =>
    running(
      async (driver, changes, executor) => {
        assert.ok(!changes.models.hasCandidate(0))
        assert.throws(() => changes.models.promote(0), /BUG/)
        await changes.change(second, 1)
        assert.ok(changes.models.hasCandidate(0))
        assert.deepEqual(lanesOf(executor), [0, 0, 1, 1])
        await feed(driver, numbers([1]))
        changes.models.dropCandidate(0)
        await driver.advance(100)
        assert.deepEqual([lanesOf(executor), changes.models.specOf(1)], [[0, 1], undefined])
        await changes.change(third, 1)
        const loaded = driver.running.health().models.map(({ modelId }) => modelId)
        assert.deepEqual(loaded, [first, third])
        changes.models.promote(0)
        await feed(driver, numbers([2]))
        assert.deepEqual(await models(driver), [0, 2])
        assert.deepEqual([lanesOf(executor), changes.models.hasCandidate(0)], [[0, 1], false])
        await changes.change(first)
        await feed(driver, numbers([3]))
        assert.deepEqual(await models(driver), [0, 2, 0])
      },
      { lanes: 2 },
    ))

  it('W5: a candidate that is aside has lanes that are given no batch, and are among the others once it is admitted or promoted', () =>
    running(
      async (driver, changes, executor) => {
        for (const path of [second, third]) {
          const prepared = await changes.prepare(path, 1, { isAside: true })
          prepared.serve()
        }
        await driver.advance(100)
        assert.ok(changes.models.hasCandidate(0))
        assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0, 1], 0], 'the first one has left')
        const release = executor.hang()
        await driver.pipe('in', numbers([1, 2]))
        assert.deepEqual(
          executor.lanes.map(({ occupied }) => occupied),
          [1, 1],
        )
        release()
        await driver.advance(1_000)
        changes.models.promote(0)
        await feed(driver, numbers([3]))
        assert.deepEqual(await models(driver), [0, 0, 2])
        assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0, 1], 0])
        const prepared = await changes.prepare(first, 1, { isAside: true })
        prepared.serve()
        changes.models.admit(0)
        assert.deepEqual(lanesOf(executor), [0, 0, 1, 1])
        changes.models.dropCandidate(0)
        await feed(driver, numbers([4]))
        assert.deepEqual(await models(driver), [0, 0, 2, 2])
        assert.deepEqual([lanesOf(executor), executor.leaving.length], [[0, 1], 0])
      },
      { lanes: 2 },
      { maxSize: 1 },
    ))
})
