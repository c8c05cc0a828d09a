import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createFaultyExecutor } from '../../src/testing/faulty-executor.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { digits, rejects } from '../support/executor-checks.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

async function setUp() {
  const clock = createManualClock()
  const inner = createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger: silentLogger, clock })
  const executor = createFaultyExecutor(inner, { clock })
  const lane = executor.lanes[0]!
  const model = await lane.load(digitsSpec())
  const slot = model.acquire()!
  fill(
    slot,
    digits.slice(0, 8).map(({ pixels }) => pixels),
  )
  return { clock, executor, lane, model, slot }
}

describe('faulty executor', () => {
  test('fails as many runs as it is told, with the error that it is given, and records every run', async () => {
    const { executor, slot } = await setUp()
    executor.failRuns(1)
    executor.failRuns(1, new RunInferenceError('LANE_LOST', 'gone'))
    await rejects(slot.run(0, 8), 'INFERENCE_FAILED')
    await rejects(slot.run(0, 4), 'LANE_LOST')
    assert.equal((await slot.run(4, 4)).rows, 4)
    assert.deepEqual(
      executor.runs.map(({ from, rows }) => [from, rows]),
      [
        [0, 8],
        [0, 4],
        [4, 4],
      ],
    )
    await executor.close()
  })

  test('fails ranges that hold a bad row, by what is in the slot', async () => {
    const { executor, slot } = await setUp()
    const bad = digits[5]!.pixels
    executor.failRowsWhere(([x]) => bad.every((pixel, index) => x![index] === pixel))
    await rejects(slot.run(0, 8), 'INFERENCE_FAILED')
    await rejects(slot.run(5, 1), 'INFERENCE_FAILED')
    assert.equal((await slot.run(0, 5)).rows, 5)
    assert.equal((await slot.run(6, 2)).rows, 2)
    executor.failRowsWhere(undefined)
    assert.equal((await slot.run(0, 8)).rows, 8)
    await executor.close()
  })

  test('has memory for so many rows, until it is told otherwise', async () => {
    const { executor, slot } = await setUp()
    executor.outOfMemoryAbove(4)
    await rejects(slot.run(0, 8), 'DEVICE_MEMORY', '8 rows')
    assert.equal((await slot.run(0, 4)).rows, 4)
    executor.outOfMemoryAbove(undefined)
    assert.equal((await slot.run(0, 8)).rows, 8)
    await executor.close()
  })

  test('fails the control batch and loads while told to', async () => {
    const { executor, lane, model } = await setUp()
    executor.failControl(true)
    await rejects(model.runControl(), 'MODEL_OUTAGE')
    executor.failControl(false)
    await model.runControl()
    assert.equal(executor.controls, 2)
    executor.failLoadsWhere(({ uri }) => uri.includes('v2'))
    await rejects(lane.load(digitsSpec('models/digits-mlp-v2.onnx')), 'MODEL_UNUSABLE')
    await lane.load(digitsSpec())
    await executor.close()
  })

  test('a lost lane rejects what runs, what hangs and what comes later, until it is back', async () => {
    const { executor, lane, model, slot } = await setUp()
    const letGo = executor.hang()
    const hanging = rejects(slot.run(0, 8), 'LANE_LOST')
    const bringBack = executor.lose(0)
    await hanging
    letGo()
    assert.equal(lane.trouble?.code, 'LANE_LOST')
    await rejects(slot.run(0, 8), 'LANE_LOST')
    await rejects(model.runControl(), 'LANE_LOST')
    bringBack()
    assert.equal(lane.trouble, undefined)
    assert.equal((await slot.run(0, 8)).rows, 8)
    await model.runControl()
    slot.release()
    assert.equal(lane.occupied, 0)
    await executor.close()
  })

  test('a hanging call is busy by the clock, holds up close, and goes on when it is let go', async () => {
    const { clock, executor, lane, slot } = await setUp()
    const letGo = executor.hang()
    const running = slot.run(0, 8)
    await clock.advance(5_000)
    assert.equal(lane.busyMs(), 5_000)
    let closed = false
    const closing = executor.close().then(() => {
      closed = true
    })
    await clock.settle()
    assert.equal(closed, false)
    letGo()
    assert.equal((await running).rows, 8)
    await closing
  })
})
