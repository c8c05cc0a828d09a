import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LoadedModel } from '../../src/models/executor.ts'
import { rejects } from '../support/executor-checks.ts'
import { loaded, replaced, type Scripted } from '../support/scripted-link.ts'

const types = ({ worker }: Scripted) => worker.inbox.map(({ type }) => type)

describe('S1: the call at the head is blamed for its worker', () => {
  test('all others are sent again in their order, and end as if nothing had been', async () => {
    const lane = await loaded()
    const calls = [lane.run(1, 7), lane.run(1, 2), lane.run(1, 3), lane.control(1)]
    assert.deepEqual(types(lane), ['run', 'run', 'run', 'control'])
    const guilty = rejects(calls[0]!, 'WORKER_LOST', 'm1', 'lane 0', '7 rows', 'fell over')
    await lane.worker.die()
    await guilty
    await lane.worker.answer()
    assert.deepEqual(types(lane), ['run', 'run', 'control'])
    for (const _ of [1, 2, 3]) await lane.worker.answer()
    assert.equal((await Promise.all(calls.slice(1))).length, 3)
    assert.deepEqual(lane.supervisor.restarts, { crash: 1, timeout: 0 })
  })

  test('what was answered before is not: the next call is', async () => {
    const lane = await loaded()
    const first = lane.run(1)
    const second = rejects(lane.run(1), 'WORKER_LOST')
    await lane.worker.answer()
    await lane.worker.die()
    await second
    await first
  })

  test('nobody is when it was idle', async () => {
    const lane = await loaded()
    await lane.worker.die()
    await replaced(lane, 100)
    const run = lane.run(1)
    await lane.worker.answer()
    await run
    assert.equal(lane.workers.length, 2)
  })

  test('an answer out of turn is a loss: nothing that follows could be told apart', async () => {
    const lane = await loaded()
    const guilty = rejects(lane.run(1), 'WORKER_LOST', 'out of turn')
    await lane.worker.answer({ call: 99 })
    await guilty
    assert.equal(lane.workers[0]!.isKilled, true)
  })
})

describe('S2: a new worker loads again what was loaded, before it is sent the calls', () => {
  test('under the same numbers; what was unloaded is not', async () => {
    const lane = await loaded()
    for (const model of [2, 3]) {
      const loading = lane.load(model)
      await lane.worker.answer()
      await loading
    }
    const unloading = lane.supervisor.call({ type: 'unload', model: 2 })
    await lane.worker.answer()
    await unloading
    const lost = rejects(lane.run(3), 'WORKER_LOST')
    const run = lane.run(1)
    await lane.worker.die()
    await lost
    assert.deepEqual(
      lane.worker.inbox.map(message => message.type === 'load' && message.model),
      [1, 3],
    )
    await lane.worker.answer()
    assert.deepEqual(types(lane), ['load'], 'no call before the last model is there')
    await lane.worker.answer()
    await lane.worker.answer()
    await run
    assert.deepEqual(lane.reloaded, [1, 3])
  })

  test('a file that was changed meanwhile is not loaded in place of the old one', async () => {
    const lane = await loaded()
    const lost = rejects(lane.run(1), 'WORKER_LOST')
    const waiting = rejects(lane.run(1), 'LANE_LOST', 'm1 has changed')
    await lane.worker.die()
    await lost
    for (let attempt = 0; attempt < 5; attempt++) {
      await lane.worker.answer({ loaded: { modelId: 'm1', sha256: 'another' } as LoadedModel })
      await lane.clock.advance(100 * 2 ** attempt)
    }
    await waiting
    assert.deepEqual(lane.reloaded, [])
  })

  test('an unload whose worker is lost has happened', async () => {
    const lane = await loaded()
    const unloading = lane.supervisor.call({ type: 'unload', model: 1 })
    await lane.worker.die()
    await unloading
    await lane.clock.advance(60_000)
    assert.equal(lane.workers.length, 1, 'nothing is loaded: nothing has to be brought back')
  })
})

describe('S3: losses in a row', () => {
  test('are answered with growing pauses; after too many, calls reject LANE_LOST, and it is tried again', async () => {
    const lane = await loaded()
    for (const pauseMs of [100, 200, 400, 800]) {
      await lane.worker.die()
      const started = lane.workers.length
      await lane.clock.advance(pauseMs - 1)
      assert.equal(lane.workers.length, started)
      await replaced(lane, 1)
    }
    const waiting = rejects(lane.control(1), 'WORKER_LOST')
    const behind = rejects(lane.run(1), 'LANE_LOST', 'lane 0', '5 times in a row', 'fell over')
    await lane.worker.die()
    await Promise.all([waiting, behind])
    assert.equal(lane.supervisor.trouble?.code, 'LANE_LOST')
    const still = rejects(lane.run(1), 'LANE_LOST', '6 times in a row')
    await lane.clock.advance(1_600)
    assert.equal(lane.workers.length, 6)
    await lane.worker.die()
    await still
    const later = lane.run(1)
    await lane.clock.advance(3_199)
    assert.equal(lane.workers.length, 6, 'the pause is not over')
    await replaced(lane, 1)
    assert.equal(lane.supervisor.trouble, undefined)
    await lane.worker.answer()
    await later
  })

  test('are no row when something was answered in between', async () => {
    const lane = await loaded()
    for (let loss = 0; loss < 12; loss++) {
      await lane.worker.die()
      await replaced(lane, 100)
      const call = (loss % 2 === 0 ? lane.run(1) : lane.control(1)).catch(() => {})
      await lane.worker.answer(
        loss % 3 === 0
          ? { type: 'failed', error: { code: 'INFERENCE_FAILED', message: '', stack: '', errorTypes: [] } }
          : {},
      )
      await call
    }
    assert.equal(lane.supervisor.trouble, undefined)
  })

  test('are no row when they lie far apart', async () => {
    const lane = await loaded()
    for (let loss = 0; loss < 8; loss++) {
      await lane.worker.die()
      await replaced(lane, 70_000)
    }
    assert.equal(lane.supervisor.trouble, undefined)
  })

  test('by runs do not count, and are made good at once: bisection and the control batch judge them', async () => {
    const lane = await loaded()
    for (let loss = 0; loss < 20; loss++) {
      const lost = rejects(lane.run(1), 'WORKER_LOST')
      await lane.worker.die()
      await lost
      await replaced(lane, 0)
    }
    assert.deepEqual([lane.supervisor.trouble, lane.supervisor.restarts.crash], [undefined, 20])
  })

  test('count when the models cannot be loaded again', async () => {
    const lane = await loaded()
    const refused = {
      type: 'failed',
      error: { code: 'MODEL_UNUSABLE', message: 'no such file', stack: '', errorTypes: [] },
    } as const
    const waiting = rejects(lane.run(1), 'WORKER_LOST')
    const behind = rejects(lane.run(1), 'LANE_LOST', 'no such file')
    await lane.worker.die()
    await waiting
    for (let attempt = 0; attempt < 5; attempt++) {
      await lane.worker.answer(refused)
      assert.equal(lane.worker.isKilled, true)
      await lane.clock.advance(100 * 2 ** attempt)
    }
    await behind
  })

  test('count when a new worker dies while it loads, and nobody is to blame', async () => {
    const lane = await loaded()
    const run = lane.run(1)
    const guilty = rejects(run, 'WORKER_LOST')
    const behind = lane.run(1)
    await lane.worker.die()
    await guilty
    await lane.worker.die()
    await replaced(lane, 100)
    await lane.worker.answer()
    await behind
  })
})
