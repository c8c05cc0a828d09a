import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Executor } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { eventually } from '../support/eventually.ts'
import { rejects } from '../support/executor-checks.ts'
import { hangingSpec } from '../support/hanging-loads.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
const options = { lanes: 1, maxBatchRows: 4 }
// The clock's timers keep no process alive.
const awake = async <T>(work: Promise<T>): Promise<T> => {
  const timer = setInterval(() => {}, 1_000)
  return await work.finally(() => clearInterval(timer))
}
const busy = (lane: Executor['lanes'][number]) => eventually('the load', () => lane.busyMs() > 1_000)

describe('a model that hangs while it loads', { concurrency: true }, () => {
  for (const [kind, how] of [
    ['thread', 'wait'],
    ['thread', 'spin'],
    ['process', 'wait'],
    ['process', 'spin'],
  ] as const) {
    test(`(${kind}, ${how}) does not keep the executor from closing, and nothing is left`, async () => {
      const create = kind === 'thread' ? createThreadExecutor : createProcessExecutor
      const executor = create(options, parts)
      const [lane] = executor.lanes
      const spare = executor.spare(lane!)
      const spec = await hangingSpec(how, kind)
      const load = rejects(spare.load(spec), 'LANE_LOST')
      await awake(busy(spare))
      await awake(executor.close())
      await load
      assert.deepEqual([lane!.hasEnded, spare.hasEnded, executor.leaving.length], [true, true, 0])
    })
  }

  for (const [kind, how, stuckMs] of [
    ['thread', 'wait', 60_000],
    ['thread', 'spin', 3_000],
    ['process', 'spin', 60_000],
  ] as const) {
    test(`(${kind}, ${how}) and that nobody wants any more is ended while others serve`, async () => {
      const create = kind === 'thread' ? createThreadExecutor : createProcessExecutor
      const executor = create(options, { ...parts, stuckMs })
      const spare = executor.spare(executor.lanes[0]!)
      const load = rejects(spare.load(await hangingSpec(how, kind)), 'LANE_LOST')
      await awake(busy(spare))
      executor.retire(spare)
      assert.deepEqual(executor.leaving, [spare])
      await awake(eventually('its end', () => executor.leaving.length === 0))
      await load
      await executor.close()
    })
  }
})
