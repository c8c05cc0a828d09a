// The machine's time of day is set, forward or back by an hour, while an instance is at work: only what is written with a time of
// day may tell.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { handlerAt } from '../../src/handler-place.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../../src/run-settings.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { calculation, outputs, timesTen } from '../support/number-handlers.ts'
import { onDriver, passed } from '../support/on-driver.ts'

const HOUR_MS = 3_600_000
const DIRECTIONS = [
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
] as const

const graph = () => {
  const { handler } = timesTen(batch => {
    if (batch.includes(13)) throw new RangeError('unlucky')
  })
  const slow = handler.withPreprocess(async (value: number) => value, { concurrency: 4, timeoutMs: 1_000 })
  return calculation(slow, { batch: { maxSize: 8, minSize: 4, maxWaitMs: 2_000 } })
}

/** An instance whose time of day a test sets, beside a driver that has given up its own: the broker's stays right. */
async function instance(driver: TopologyDriver, settings: Partial<RunSettings>) {
  let ahead = 0
  const { now, after, wallTime } = driver.clock
  const clock = { now, after, wallTime: () => wallTime() + ahead }
  const metrics = countingMetrics()
  const topology = graph()
  const executor = createInThreadExecutor(
    { lanes: 1, maxBatchRows: 64 },
    { logger: silentLogger, clock, find: place => handlerAt(topology, place) },
  )
  const running = startTopology(topology, {
    ...{ port: driver.broker.connect(), executor, registry: driver.registry, readSchema: async () => '' },
    ...{ settings: { ...DEFAULT_RUN_SETTINGS, ...settings }, clock, random: () => 0.5, logger: silentLogger, metrics },
  })
  await passed(driver, running.whenReady())
  return {
    running,
    metrics,
    setClock: (byMs: number) => {
      ahead += byMs
    },
  }
}

const atLeastOnce = { processingGuarantee: 'at_least_once' } as const
const exactlyOnce = { processingGuarantee: 'exactly_once' } as const

describe('a time of day that is set while an instance works', () => {
  for (const [direction, byMs] of DIRECTIONS) {
    for (const guarantee of [atLeastOnce, exactlyOnce]) {
      it(`${direction} by an hour, ${guarantee.processingGuarantee}: no session, batch, wait or record is lost by it`, async () => {
        await onDriver(calculation(timesTen().handler), async driver => {
          await passed(driver, driver.running.stop())
          const { running, metrics, setClock } = await instance(driver, guarantee)
          const expected: number[] = []
          for (let round = 0; round < 12; round++) {
            const values = Array.from({ length: 5 }, (_, i) => 100 + round * 5 + i)
            expected.push(...values.map(value => value * 10))
            await driver.pipe(
              'in',
              values.map(value => ({ value })),
            )
            // In the midst of a batch that is held, of one that runs, of a commit that is due, and of nothing at all.
            if (round % 3 === 1) setClock(byMs)
            if (round % 3 === 2) setClock(-byMs)
            await driver.advance(700 * (round % 4))
          }
          await driver.advance(3_000)
          assert.deepEqual(await outputs(driver), expected)
          assert.deepEqual(await driver.port.admin.committed('t', 'in'), [60])
          assert.deepEqual(metrics.letters, {}, 'no dead letter')
          assert.equal(metrics.lostRecords, 0, 'no partition was lost')
          const { ready, problems } = running.health()
          assert.deepEqual([ready, problems], [true, {}])
          await passed(driver, running.stop())
        })
      })
    }

    it(`${direction} by an hour: a held batch leaves when its wait is over, and an outage is sat out in its own time`, async () => {
      await onDriver(calculation(timesTen().handler), async driver => {
        await passed(driver, driver.running.stop())
        const { running, setClock } = await instance(driver, {})
        await driver.pipe('in', [{ value: 1 }])
        await driver.advance(500)
        setClock(byMs)
        await driver.advance(1_000)
        assert.deepEqual(await outputs(driver), [], 'not before')
        await driver.advance(600)
        assert.deepEqual(await outputs(driver), [10], 'and not after')
        driver.broker.down()
        await driver.advance(5_000)
        setClock(-2 * byMs)
        await driver.advance(5_000)
        assert.match(JSON.stringify(running.health().problems), /BROKER_UNAVAILABLE/)
        driver.broker.up()
        await driver.advance(5_000)
        assert.deepEqual(running.health().problems, {})
        await passed(driver, running.stop())
      })
    })

    it(`${direction} by an hour: outputs and dead letters are taken by the broker, whatever their records say`, async () => {
      await onDriver(calculation(timesTen().handler), async driver => {
        await passed(driver, driver.running.stop())
        const { running, metrics, setClock } = await instance(driver, {})
        setClock(byMs)
        const now = driver.clock.wallTime()
        const timestamps = [now - 30 * 24 * HOUR_MS, now, now + HOUR_MS - 1_000, -1]
        await driver.pipe(
          'in',
          timestamps.map((timestamp, i) => ({ value: i, timestamp })),
        )
        await driver.pipe('in', [{ value: 13, timestamp: now }])
        await driver.advance(10_000)
        assert.deepEqual(await outputs(driver), [0, 10, 20, 30])
        assert.deepEqual(metrics.letters, { INFERENCE_FAILED: 1 }, 'the bad record alone')
        const [letter] = await driver.read('t.calc.failed-inference')
        // Its topic has the time of the broker: with that of the record or of the instance, retention might take it at once.
        assert.ok(Math.abs(letter!.timestamp - driver.clock.wallTime()) < 60_000)
        assert.equal(letter!.headers['kri-original-timestamp'], String(now))
        await passed(driver, running.stop())
      })
    })
  }
})
