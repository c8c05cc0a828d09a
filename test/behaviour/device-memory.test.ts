import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { countingMetrics } from '../support/counting-metrics.ts'
import { deadLetters, digitTopology } from '../support/digit-topology.ts'
import { feed, onFaultyDriver } from '../support/on-driver.ts'

const records = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ key: `k${from + i}`, value: '5' }))
const names = (count: number) => records(count).map(({ key }) => key)

describe('a device that runs out of memory', () => {
  it('gets smaller batches from then on; every record is answered in order, and neither breaker nor dead letters tell of it', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology({ step: { batch: { maxSize: 64 } } }),
      async (driver, executor) => {
        executor.outOfMemoryAbove(10)
        await feed(driver, records(300))
        assert.deepEqual(
          (await driver.read('out')).map(({ key }) => key),
          names(300),
        )
        assert.deepEqual(await deadLetters(driver, 'inference'), [])
        assert.deepEqual(metrics.ceilings, [64, 32, 16, 8])
        assert.deepEqual([metrics.breaker, executor.controls], [[], 0])
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })

  it('gets larger ones again, slowly, once they fit', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology({ step: { batch: { maxSize: 16 } } }),
      async (driver, executor) => {
        executor.outOfMemoryAbove(4)
        await feed(driver, records(200))
        executor.outOfMemoryAbove(undefined)
        await feed(driver, records(2_000, 200))
        assert.deepEqual(metrics.ceilings, [16, 8, 4, 8, 16])
        assert.equal((await driver.read('out')).length, 2_200)
      },
      { metrics },
    )
  })
})
