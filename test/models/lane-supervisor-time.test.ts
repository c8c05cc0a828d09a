import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rejects } from '../support/executor-checks.ts'
import { loaded, replaced, scripted } from '../support/scripted-link.ts'

describe('S4: the call at the head has its time', () => {
  test('from when it came there: it rejects TIMEOUT, its worker is ended, others go on', async () => {
    const lane = await loaded({}, { timeoutMs: 500 })
    const first = lane.run(1)
    const second = rejects(lane.run(1, 3), 'TIMEOUT', 'm1', '3 rows', 'timeoutMs (500 ms)', 'SIGKILL')
    const third = lane.run(1)
    await lane.clock.advance(400)
    await lane.worker.answer()
    await first
    await lane.clock.advance(499)
    assert.equal(lane.worker.isKilled, false)
    await lane.clock.advance(1)
    assert.equal(lane.worker.isKilled, true)
    await lane.worker.die('ended by SIGKILL')
    await second
    await lane.worker.answer()
    await lane.worker.answer()
    await third
    assert.deepEqual(lane.supervisor.restarts, { crash: 0, timeout: 1 })
  })

  test('an answer that comes after its time is too late, and the next call is not blamed', async () => {
    const lane = await loaded({}, { timeoutMs: 500 })
    const late = rejects(lane.run(1), 'TIMEOUT')
    const next = lane.run(1)
    await lane.clock.advance(500)
    await lane.worker.answer()
    await lane.worker.die()
    await late
    await lane.worker.answer()
    await lane.worker.answer()
    await next
  })

  test('without timeoutMs it is stuckMs, and so for loads: those reject LANE_LOST, since no row is to blame', async () => {
    const lane = await loaded({ stuckMs: 2_000 })
    const run = rejects(lane.run(1), 'TIMEOUT', 'stuckMs (2000 ms)')
    await lane.clock.advance(2_000)
    await lane.worker.die()
    await run
    await lane.worker.answer()
    const load = rejects(lane.load(2, { timeoutMs: 5 }), 'LANE_LOST', "a 'load' took longer than stuckMs, 2000 ms")
    await lane.clock.advance(1_999)
    assert.equal(lane.worker.isKilled, false)
    await lane.clock.advance(1)
    assert.equal(lane.worker.isKilled, true)
    await lane.worker.die()
    await load
  })

  test('parts of a batch that is searched have ten times the longest run, and a second at least; a row alone has it all', async () => {
    const lane = await loaded({}, { timeoutMs: 20_000 })
    for (const tookMs of [1, 300, 20]) {
      const run = lane.run(1, 64)
      await lane.clock.advance(tookMs)
      await lane.worker.answer()
      await run
    }
    const limitOf = async (rows: number, again: boolean) => {
      const lost = rejects(lane.run(1, rows, again), 'TIMEOUT')
      const startedAt = lane.clock.now()
      while (!lane.worker.isKilled) await lane.clock.advance(100)
      const limitMs = lane.clock.now() - startedAt
      await lane.worker.die()
      await lost
      await lane.worker.answer()
      return limitMs
    }
    assert.deepEqual(
      [await limitOf(64, false), await limitOf(32, true), await limitOf(1, true)],
      [20_000, 3_000, 20_000],
    )
    for (let run = 0; run < 128; run++) {
      const quick = lane.run(1, 64)
      await lane.worker.answer()
      await quick
    }
    assert.equal(await limitOf(2, true), 1_000)
  })

  test('a thread cannot be ended: it has all the time, and says how long it has been busy', async () => {
    const lane = await loaded({ killable: false }, { timeoutMs: 500 })
    const run = lane.run(1)
    await lane.clock.advance(100_000)
    assert.equal(lane.supervisor.busyMs(), 100_000)
    await lane.worker.answer()
    await run
    assert.equal(lane.supervisor.busyMs(), 0)
  })

  test('a lane that waits for a new worker is not busy', async () => {
    const lane = await loaded()
    await lane.worker.die()
    const run = lane.run(1)
    await lane.clock.advance(90)
    assert.equal(lane.supervisor.busyMs(), 0)
    await replaced(lane, 10)
    await lane.worker.answer()
    await run
  })
})

describe('S5: every call ends', () => {
  test('close waits for the calls before it and for the end of the worker', async () => {
    const lane = await loaded()
    const run = lane.run(1)
    let closed = false
    const closing = lane.supervisor.close().then(() => {
      closed = true
    })
    await rejects(lane.run(1), 'CLOSED')
    await lane.worker.answer()
    await lane.worker.answer()
    await run
    assert.equal(closed, false)
    await lane.worker.die('closed')
    await closing
    assert.deepEqual(lane.supervisor.restarts, { crash: 0, timeout: 0 })
  })

  test('close ends a worker that takes too long, if it can be ended, and no new one is started', async () => {
    const lane = await loaded()
    const running = rejects(lane.run(1), 'WORKER_LOST')
    const behind = rejects(lane.run(1), 'LANE_LOST', 'closed')
    const closing = lane.supervisor.close()
    await lane.clock.advance(3_000)
    assert.equal(lane.worker.isKilled, true)
    await lane.worker.die()
    await Promise.all([running, behind, closing])
    await lane.clock.advance(60_000)
    assert.equal(lane.workers.length, 1)
  })

  test('close while there is no worker rejects what waits, and no new one is started', async () => {
    const lane = await loaded()
    await lane.worker.die()
    const waiting = rejects(lane.run(1), 'LANE_LOST', 'closed')
    await lane.supervisor.close()
    await waiting
    await lane.clock.advance(60_000)
    assert.equal(lane.workers.length, 1)
  })

  test('close asks a thread that hangs to end where it waits, and where it is in JavaScript when it is stuck', async () => {
    const lane = scripted({ killable: false, stuckMs: 10_000 })
    const load = rejects(lane.load(1), 'LANE_LOST', 'ended with exit code 0')
    const closing = lane.supervisor.close()
    await lane.clock.advance(1_999)
    assert.deepEqual(lane.worker.asked, [])
    await lane.clock.advance(1)
    assert.deepEqual(lane.worker.asked, ['idle'])
    await lane.clock.advance(7_999)
    assert.deepEqual(lane.worker.asked, ['idle'])
    await lane.clock.advance(1)
    assert.deepEqual([lane.worker.asked, lane.supervisor.hasEnded], [['idle', 'busy'], false])
    await lane.worker.die('its thread ended with exit code 0')
    await Promise.all([load, closing])
    assert.deepEqual([lane.supervisor.hasEnded, lane.workers.length], [true, 1])
    await lane.clock.advance(60_000)
    assert.deepEqual(lane.worker.asked, ['idle', 'busy'])
  })

  test('close asks no thread to end whose calls end, however many there are', async () => {
    const lane = await loaded({ killable: false, stuckMs: 3_000 })
    const runs = Array.from({ length: 4 }, () => lane.run(1))
    const closing = lane.supervisor.close('soon')
    for (let run = 0; run < 4; run++) {
      await lane.clock.advance(1_900)
      await lane.worker.answer()
    }
    await lane.worker.answer()
    await lane.worker.die('closed')
    await Promise.all([...runs, closing])
    assert.deepEqual(lane.worker.asked, [])
  })

  for (const killable of [true, false]) {
    test(`close that must be soon does not wait for a ${killable ? 'process' : 'thread'} that does not end at all`, async () => {
      const lane = scripted({ killable })
      const load = rejects(lane.load(1), 'LANE_LOST')
      let isClosed = false
      const closing = lane.supervisor.close('soon').then(() => {
        isClosed = true
      })
      await lane.clock.advance(3_999)
      assert.deepEqual(lane.worker.asked, killable ? [] : ['idle', 'busy'])
      assert.deepEqual([lane.worker.isKilled, isClosed], [killable, false])
      await lane.clock.advance(1)
      assert.deepEqual([isClosed, lane.supervisor.hasEnded], [true, false])
      await closing
      await lane.worker.die()
      await load
      assert.equal(lane.supervisor.hasEnded, true)
    })
  }

  test('close of a lane that never had a worker starts none', async () => {
    const lane = scripted()
    await lane.supervisor.close()
    assert.equal(lane.workers.length, 0)
  })
})
