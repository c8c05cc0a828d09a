import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

const zeros = (rows: number) => Array.from({ length: rows }, () => Array<number>(64).fill(0))

describe('in-thread executor', () => {
  test('with hold, calls of all lanes wait for step, and are served first in first out', async () => {
    const executor = createInThreadExecutor(
      { lanes: 2, maxBatchRows: 8 },
      { logger: silentLogger, clock: createManualClock(), hold: true },
    )
    const loading = Promise.all(executor.lanes.map(lane => lane.load(digitsSpec())))
    assert.equal(executor.pending, 2)
    assert.deepEqual([await executor.step(), await executor.step(), await executor.step()], [true, true, false])
    const [first, second] = await loading
    const served: string[] = []
    const work = [second!, first!, second!].map((model, index) => {
      const slot = model.acquire()!
      fill(slot, zeros(2))
      return slot.run(0, 2).then(() => served.push(`call ${index}`))
    })
    await executor.settled()
    assert.deepEqual([served, executor.pending], [[], 3])
    for (let call = 0; call < 3; call++) {
      await executor.step()
      await executor.settled()
      assert.deepEqual(served.at(-1), `call ${call}`)
    }
    await Promise.all(work)
    assert.equal(await executor.step(), false)
    await executor.close()
  })

  test('without hold, calls are served by themselves, and settled waits for all of them', async () => {
    const executor = createInThreadExecutor(
      { lanes: 1, maxBatchRows: 8 },
      { logger: silentLogger, clock: createManualClock() },
    )
    const model = await executor.lanes[0]!.load(digitsSpec())
    let runs = 0
    const slot = model.acquire()!
    fill(slot, zeros(4))
    const chain = slot.run(0, 4).then(async () => {
      runs++
      await slot.run(1, 2)
      runs++
    })
    await executor.settled()
    assert.deepEqual([runs, executor.pending], [2, 0])
    await chain
    await executor.close()
  })

  test('durationOf is the compute time that batches report; without it, time is what the injected clock says', async () => {
    for (const durationOf of [undefined, ({ rows }: { rows: number }) => rows * 10]) {
      const executor = createInThreadExecutor(
        { lanes: 1, maxBatchRows: 8 },
        { logger: silentLogger, clock: createManualClock(), ...(durationOf && { durationOf }) },
      )
      const model = await executor.lanes[0]!.load(digitsSpec())
      const slot = model.acquire()!
      fill(slot, zeros(4))
      const { computeMs, queueMs } = await slot.run(0, 3)
      assert.deepEqual([computeMs, queueMs], [durationOf ? 30 : 0, 0])
      await executor.close()
    }
  })

  test('closing with hold serves what waits', async () => {
    const executor = createInThreadExecutor(
      { lanes: 1, maxBatchRows: 8 },
      { logger: silentLogger, clock: createManualClock(), hold: true },
    )
    const loading = executor.lanes[0]!.load(digitsSpec())
    await executor.close()
    assert.equal((await loading).loaded.sizeBytes, 2866)
  })
})
