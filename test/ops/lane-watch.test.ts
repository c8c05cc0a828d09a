import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLaneWatch } from '../../src/ops/lane-watch.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

test('a thread that is stuck in native code ends the process; a busy one, and a lane that is a process, do not', async () => {
  const clock = createManualClock()
  let since: number | undefined
  let deaths = 0
  const thread = { id: 0, isolation: 'thread', busyMs: () => (since === undefined ? 0 : clock.now() - since) } as const
  const child = { id: 1, isolation: 'process', busyMs: () => 1_000_000 } as const
  const stop = startLaneWatch({
    lanes: [child, thread],
    stuckMs: 60_000,
    clock,
    logger: silentLogger,
    die: () => deaths++,
  })
  since = clock.now()
  await clock.advance(59_000)
  since = clock.now()
  await clock.advance(59_000)
  assert.equal(deaths, 0)
  await clock.advance(10_000)
  assert.equal(deaths, 1)
  stop()
  assert.equal(clock.nextTimerMs(), undefined)
})

test('a process that was stopped for longer goes on: its lane is looked at again when it has had time to', () => {
  let nowMs = 0
  let check = () => {}
  let busyMs = 0
  let deaths = 0
  const clock = {
    ...{ now: () => nowMs, wallTime: () => nowMs },
    after(_: number, call: () => void) {
      check = call
      return () => {}
    },
  }
  const thread = { id: 0, isolation: 'thread', busyMs: () => busyMs } as const
  startLaneWatch({ lanes: [thread], stuckMs: 60_000, clock, logger: silentLogger, die: () => deaths++ })
  const checkAt = (ms: number, busy: number) => {
    nowMs = ms
    busyMs = busy
    check()
  }
  checkAt(1_000, 10)
  checkAt(200_000, 199_000)
  assert.equal(deaths, 0)
  checkAt(201_000, 200_000)
  assert.equal(deaths, 1)
})
