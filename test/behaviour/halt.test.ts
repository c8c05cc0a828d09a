import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type StepOptions, topology } from 'kafka-run-inference'
import type { RunInferenceError } from '../../src/errors.ts'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { DriverOptions, TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { calculation, outputs, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver, onFaultyDriver, passed, secondInstance } from '../support/on-driver.ts'

const GUARD = { floodRatio: 0.5, floodMinRecords: 10 }
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

/** Multiplies by ten; a negative number fails before the model, one from 1,000 in it. */
function guarded(step: StepOptions<number> = {}) {
  const { handler } = timesTen(batch => {
    if (batch.some(value => value >= 1_000)) throw new RangeError('too large')
  })
  const positive = handler.withPreprocess((value: number) => {
    if (value < 0) throw new RangeError('negative')
    return value
  })
  return calculation(positive, step)
}

const flooded = (
  body: (driver: TopologyDriver) => Promise<void>,
  options: DriverOptions = {},
  step: StepOptions<number> = {},
) => onDriver(guarded(step), body, { settings: GUARD, ...options })

describe('an application in which too much fails', () => {
  it('halts in a state that can be seen: not ready, live, with the numbers; nothing new is taken; resume goes on', async () => {
    const metrics = countingMetrics()
    await flooded(
      async driver => {
        await feed(driver, values(...numbers(9).map(i => -1 - i)))
        assert.equal(driver.running.health().ready, true, 'nine say too little')
        await feed(driver, values(-1, 1))
        const { live, ready, problems, state } = driver.running.health()
        assert.deepEqual([live, ready, state], [true, false, 'joined'])
        assert.match(problems.halted!, /TOO_MANY_DEAD_LETTERS\] preprocessing of step calc: 10 of 11 records failed/)
        assert.deepEqual(metrics.halts, [true])
        await feed(driver, values(2, 3))
        await driver.advance(600_000)
        assert.deepEqual(await outputs(driver), [])
        assert.equal(driver.running.resume(), true)
        await driver.advance(1_000)
        assert.deepEqual(await outputs(driver), [10, 20, 30])
        assert.equal((await driver.read('t.calc.failed-preprocess')).length, 10)
        assert.deepEqual(driver.running.health().problems, {})
        assert.equal(driver.running.health().ready, true)
        assert.deepEqual(metrics.halts, [true, false])
        assert.equal(driver.running.resume(), false, 'it was not halted')
      },
      { metrics },
    )
  })

  it('finishes and commits what is in a lane', async () => {
    await onFaultyDriver(
      guarded(),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', values(1, 2, 3))
        await driver.advance(100)
        await driver.pipe('in', values(...numbers(20).map(i => -1 - i), 4))
        await driver.advance(100)
        assert.ok(driver.running.health().problems.halted)
        release()
        await driver.advance(1_000)
        assert.deepEqual(await outputs(driver), [10, 20, 30])
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [23], 'up to the record that waits')
      },
      { settings: GUARD },
    )
  })

  it('counts what the model refuses, and what functions behind it refuse, each alone', async () => {
    await flooded(async driver => {
      await feed(driver, values(...numbers(4), ...numbers(9, 1_000)))
      assert.match(driver.running.health().problems.halted!, /inference of step calc: [0-9]+ of [0-9]+ records/)
    })
    const { handler } = timesTen()
    const behind = handler.withPostprocess(value => {
      if (value >= 100) throw new RangeError('too large')
      return value
    })
    await onDriver(
      calculation(behind),
      async driver => {
        await feed(driver, values(...numbers(22)))
        assert.match(driver.running.health().problems.halted!, /postprocessing of step calc: 12 of 22 records failed/)
      },
      { settings: GUARD },
    )
  })

  it('a threshold of the step counts in its place, without a setting; in bundle mode one block is enough', async () => {
    const step = { batch: { mode: 'bundle', maxSize: 1 }, exceptionHandling: { threshold: 0.2 } } as const
    await onDriver(guarded(step), async driver => {
      await feed(driver, values(1, -2, 3, 4, 5))
      assert.equal(driver.running.health().ready, true, '1 of 5 is not more than 0.2')
      await feed(driver, values(6, 1_000, 7))
      assert.match(driver.running.health().problems.halted!, /1 of 3 records failed in one block/)
      assert.deepEqual(await outputs(driver), [10, 30, 40, 50, 60, 70])
    })
  })

  it('counts records of a topology without a step', async () => {
    const graph = topology('t', [
      from('in', json<number>())
        .map(value => {
          if (value < 0) throw new RangeError('negative')
          return value
        })
        .to('out', json<number>()),
    ])
    await onDriver(
      graph,
      async driver => {
        await feed(driver, values(...numbers(9), ...numbers(9).map(i => -1 - i)))
        assert.equal(driver.running.health().ready, true)
        await feed(driver, values(-1))
        assert.match(driver.running.health().problems.halted!, /preprocessing: 10 of 19 records/)
      },
      { settings: GUARD },
    )
  })

  it('stops at once when it is told to, with what is done committed, and another instance goes on from there', async () => {
    await flooded(async driver => {
      await feed(driver, values(1, ...numbers(20).map(i => -1 - i), 2))
      assert.ok(driver.running.health().problems.halted)
      const before = driver.clock.now()
      await passed(driver, driver.running.stop())
      assert.ok(driver.clock.now() - before < 1_000, 'the budget of the stop is not used up')
      const next = await secondInstance(driver, guarded())
      await driver.advance(60_000)
      assert.deepEqual(await outputs(driver), [10, 20])
      assert.equal((await driver.read('t.calc.failed-preprocess')).length, 20, 'no dead letter twice')
      await passed(driver, next.stop())
    })
  })

  it('that halts while it stops stops at once: what waits for a lane is not waited for', async () => {
    const first = Promise.withResolvers<number>()
    const others = Promise.withResolvers<number>()
    const { handler } = timesTen()
    const slow = handler.withPreprocess((value: number) => (value === 0 ? first.promise : others.promise), {
      concurrency: 100,
    })
    await onDriver(
      calculation(slow),
      async driver => {
        await feed(driver, values(...numbers(20)))
        const before = driver.clock.now()
        const stopped = driver.running.stop()
        await driver.advance(10)
        others.reject(new RangeError('they all fail'))
        await driver.idle()
        assert.ok(driver.running.health().problems.halted)
        await passed(driver, stopped)
        assert.ok(driver.clock.now() - before < 1_000, 'the budget of the stop is not used up')
      },
      { settings: GUARD },
    )
  })

  it('gives partitions away like any other, without waiting for what it holds', async () => {
    await flooded(
      async driver => {
        const records = [...numbers(20).map(i => -1 - i), 1].map(value => ({ value, partition: 0 }))
        await feed(driver, [...records, { value: 2, partition: 1 }])
        assert.ok(driver.running.health().problems.halted)
        const next = await secondInstance(driver, guarded())
        await driver.advance(60_000)
        await passed(driver, driver.running.stop())
        await driver.advance(60_000)
        assert.deepEqual((await outputs(driver)).toSorted(), [10, 20])
        await passed(driver, next.stop())
      },
      { partitions: 2 },
    )
  })

  it('ends a run to the end of the input with the reason', async () => {
    await flooded(async driver => {
      const caughtUp = driver.running.whenCaughtUp()
      caughtUp.catch(() => {})
      await feed(driver, values(1, ...numbers(20).map(i => -1 - i), 2))
      const waiting = driver.running.whenCaughtUp()
      await assert.rejects(
        passed(driver, waiting),
        (error: RunInferenceError) => error.code === 'TOO_MANY_DEAD_LETTERS',
      )
    })
  })

  it('is seen and let go on over HTTP', async () => {
    await flooded(async driver => {
      const { running } = driver
      const metrics = { contentType: 'text/plain', text: async () => '' }
      const server = await startOpsServer({
        port: 0,
        health: () => running.health(),
        resume: () => running.resume(),
        metrics,
      })
      const ask = async (path: string, method = 'GET') => (await fetch(server.url + path, { method })).status
      try {
        assert.deepEqual([await ask('/readyz'), await ask('/resume', 'POST')], [200, 409])
        await feed(driver, values(...numbers(20).map(i => -1 - i), 1))
        assert.deepEqual([await ask('/readyz'), await ask('/livez')], [503, 200])
        assert.equal(await ask('/resume', 'POST'), 200)
        assert.equal(await ask('/readyz'), 200)
        await driver.advance(1_000)
        assert.deepEqual(await outputs(driver), [10])
      } finally {
        await server.close()
      }
    })
  })
})
