import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { calculation, failed, outputs, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver, onFaultyDriver } from '../support/on-driver.ts'

class RateLimitExceeded extends Error {}
const isTransient = (error: unknown) => error instanceof RateLimitExceeded
const controlBatch = () => [0]

/** Fails so many times, then works. */
function busyFor(times: number, when: (batch: readonly number[]) => boolean = () => true) {
  let left = times
  return timesTen(
    batch => {
      if (when(batch) && left > 0 && !batch.includes(0)) {
        left--
        throw new RateLimitExceeded('slow down')
      }
    },
    { isTransient },
  )
}

describe('an error that trying again can mend', () => {
  it('is tried again, whole, and nobody learns of it but the metrics (Beam: works on retry)', async () => {
    const { handler, batches } = busyFor(3)
    const metrics = countingMetrics()
    await onDriver(
      calculation(handler),
      async driver => {
        await feed(driver, values(1, 2, 3))
        await driver.advance(2_000)
        assert.deepEqual(batches, Array(4).fill([1, 2, 3]))
        assert.deepEqual(await outputs(driver), [10, 20, 30])
        assert.deepEqual([driver.failures, driver.running.health().problems], [[], {}])
        assert.equal(metrics.retries, 3)
      },
      { metrics },
    )
  })

  it('waits longer each time, with chance, up to maxDelayMs', async () => {
    const at: number[] = []
    let now = () => 0
    const { handler } = timesTen(
      () => {
        at.push(now())
        throw new RateLimitExceeded()
      },
      { isTransient },
    )
    const retry = { maxRetries: 4, firstDelayMs: 100, maxDelayMs: 300 }
    await onDriver(calculation(handler, { retry }), async driver => {
      now = () => driver.clock.now()
      await driver.pipe('in', values(1))
      await driver.advance(1_400)
      const gaps = at.slice(1, 5).map((ms, i) => ms - at[i]!)
      for (const [i, full] of [100, 200, 300, 300].entries())
        assert.ok(gaps[i]! >= full / 2 - 1 && gaps[i]! <= full + 2, `${gaps[i]} ms before try ${i + 2}`)
    })
  })

  it('keeps no lane: other batches go on, and only what must leave behind its rows waits', async () => {
    const { handler, batches } = busyFor(5, batch => batch.includes(1))
    const graph = calculation(handler, { batch: { maxSize: 1 }, retry: { firstDelayMs: 1_000 } })
    await onDriver(
      graph,
      async driver => {
        await driver.pipe('in', [
          { value: 1, partition: 0 },
          { value: 2, partition: 0 },
          { value: 3, partition: 1 },
        ])
        await driver.advance(400)
        assert.deepEqual(batches.flat().sort(), [1, 2, 3])
        assert.deepEqual(await outputs(driver), [30], 'the other partition')
        await driver.advance(60_000)
        assert.deepEqual(
          (await driver.read('out')).filter(({ partition }) => partition === 0).map(({ value }) => value),
          [10, 20],
        )
      },
      { partitions: 2 },
    )
  })

  it('that stays is an outage while the control batch fails: rows wait, the breaker opens, no dead letter', async () => {
    let isDown = true
    const { handler } = timesTen(
      () => {
        if (isDown) throw new RateLimitExceeded()
      },
      { isTransient, controlBatch },
    )
    isDown = false
    const metrics = countingMetrics()
    await onDriver(
      calculation(handler, { retry: { maxRetries: 2, firstDelayMs: 10 } }),
      async driver => {
        isDown = true
        await feed(driver, values(1, 2))
        await driver.advance(30_000)
        assert.deepEqual([driver.failures, await outputs(driver)], [[], []])
        assert.ok(metrics.breaker.includes('open'))
        assert.match(Object.values(driver.running.health().problems).join(), /MODEL_OUTAGE|MODEL_TRANSIENT/)
        isDown = false
        await driver.advance(30_000)
        assert.deepEqual(await outputs(driver), [10, 20])
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })

  it('that stays without a control batch is an outage too (Beam: repeated requests fail)', async () => {
    let isDown = true
    const { handler } = timesTen(
      () => {
        if (isDown) throw new RateLimitExceeded()
      },
      { isTransient },
    )
    await onDriver(calculation(handler, { retry: { maxRetries: 1, firstDelayMs: 10 } }), async driver => {
      await feed(driver, values(1, 2))
      await driver.advance(30_000)
      assert.deepEqual([driver.failures, await outputs(driver)], [[], []])
      isDown = false
      await driver.advance(30_000)
      assert.deepEqual(await outputs(driver), [10, 20])
    })
  })

  it('that stays while the control batch passes is of some row: it is searched, and its dead letter tells the tries', async () => {
    const { handler } = timesTen(
      batch => {
        if (batch.includes(3)) throw new RateLimitExceeded('never mind')
      },
      { isTransient, controlBatch },
    )
    await onDriver(calculation(handler, { retry: { maxRetries: 2, firstDelayMs: 10 } }), async driver => {
      await feed(driver, values(1, 2, 3, 4))
      await driver.advance(5_000)
      assert.deepEqual(await outputs(driver), [10, 20, 40])
      assert.deepEqual(failed(driver), ['2 inference INFERENCE_FAILED -1'])
      const [letter] = await driver.read('t.calc.failed-inference')
      assert.equal(letter!.headers['kri-attempt'], '3')
      assert.equal(letter!.headers['kri-error-type'], 'RateLimitExceeded')
      assert.match(letter!.headers['kri-error-message']!, /after 2 retries: .*never mind/)
    })
  })

  it('of a whole batch (failureUnit) is tried again too, then all its rows fail', async () => {
    const { handler, batches } = timesTen(
      batch => {
        if (batch.includes(3)) throw new RateLimitExceeded()
      },
      { isTransient, controlBatch },
    )
    const step = { retry: { maxRetries: 1, firstDelayMs: 10 }, exceptionHandling: { failureUnit: 'batch' } } as const
    await onDriver(calculation(handler, step), async driver => {
      await feed(driver, values(1, 3))
      assert.equal(driver.failures.length, 2)
      assert.equal(batches.filter(batch => batch.includes(3)).length, 2)
    })
  })

  it('is tried at once when a drain begins, and what does not work within the budget is not committed', async () => {
    const { handler, batches } = busyFor(1)
    const slow = { retry: { firstDelayMs: 60_000, maxDelayMs: 60_000 } }
    await onDriver(calculation(handler, slow), async driver => {
      await feed(driver, values(1, 2))
      assert.equal(batches.length, 1)
      await driver.stop()
      assert.deepEqual(batches.length, 2)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
    })
    const never = busyFor(1_000)
    await onDriver(calculation(never.handler, slow), async driver => {
      await feed(driver, values(1, 2))
      const before = driver.clock.now()
      await driver.stop()
      assert.ok(driver.clock.now() - before < 15_000)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [0])
    })
  })

  it('among the parts of a batch that is searched ends the search, and nobody is blamed', async () => {
    const { handler } = timesTen()
    await onFaultyDriver(calculation(handler), async (driver, executor) => {
      executor.failRuns(1)
      executor.failRuns(1, new RunInferenceError('MODEL_TRANSIENT', 'busy'))
      await feed(driver, values(1, 2, 3, 4))
      await driver.advance(5_000)
      assert.deepEqual([driver.failures, await outputs(driver)], [[], [10, 20, 30, 40]])
    })
  })
})
