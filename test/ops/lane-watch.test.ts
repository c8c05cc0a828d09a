import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLaneWatch } from '../../src/ops/lane-watch.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

test('a lane that is stuck in native code ends the process, a busy one does not', async () => {
  const clock = createManualClock()
  let since: number | undefined
  let deaths = 0
  const lane = { id: 0, busyMs: () => (since === undefined ? 0 : clock.now() - since) }
  const stop = startLaneWatch({ lanes: [lane], stuckMs: 60_000, clock, logger: silentLogger, die: () => deaths++ })
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
