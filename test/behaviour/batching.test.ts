import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LANE_PLACES } from '../../src/models/executor.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { onDriver, onFaultyDriver } from '../support/on-driver.ts'

const records = (count: number, partition = 0) =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: '5', partition }))

describe('batches', () => {
  it('leave at once when a lane is idle: a quiet topic has no wait', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology(),
      async driver => {
        await driver.pipe('in', records(3))
        assert.deepEqual(metrics.batches, ['idle 3'])
        assert.equal((await driver.read('out')).length, 3)
      },
      { metrics },
    )
  })

  it('below minSize are held until maxWaitMs after their first record, and not longer', async () => {
    const metrics = countingMetrics()
    const step = { batch: { maxSize: 100, minSize: 50, maxWaitMs: 400 } }
    await onDriver(
      digitTopology({ step }),
      async driver => {
        await driver.pipe('in', records(10))
        await driver.advance(200)
        await driver.pipe('in', records(10))
        await driver.advance(199)
        assert.deepEqual(metrics.batches, [])
        await driver.advance(1)
        assert.deepEqual(metrics.batches, ['time 20'])
        await driver.pipe('in', records(50))
        assert.deepEqual(metrics.batches.slice(1), ['idle 50'], 'minSize is enough for an idle lane')
      },
      { metrics },
    )
  })

  it('fill up while lanes are busy; the prefetch place takes full ones only', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology({ step: { batch: { maxSize: 20 } } }),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', records(5))
        await driver.pipe('in', records(10))
        assert.deepEqual(metrics.batches, ['idle 5'])
        await driver.pipe('in', records(15))
        assert.deepEqual(metrics.batches, ['idle 5', 'count 20'])
        await driver.pipe('in', records(30))
        assert.deepEqual(metrics.batches.slice(2), ['count 20'])
        await driver.pipe('in', records(40))
        assert.equal(metrics.batches.length, LANE_PLACES)
        release()
        await driver.idle()
        assert.deepEqual(metrics.batches.slice(3), ['count 20', 'count 20', 'idle 15'])
        assert.equal((await driver.read('out')).length, 100)
      },
      { metrics },
    )
  })

  it('form across partitions and fetches', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology({ step: { batch: { maxSize: 30, maxWaitMs: 500 } } }),
      async driver => {
        for (const partition of [0, 1, 2]) await driver.pipe('in', records(10, partition))
        assert.deepEqual(metrics.batches, ['count 30'])
      },
      { metrics, partitions: 3 },
    )
  })

  it('of mode bundle never span two blocks, and are at most maxSize', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology({ step: { batch: { mode: 'bundle', maxSize: 8 } } }),
      async (driver, executor) => {
        const release = executor.hang()
        for (const count of [3, 4, 10]) {
          await driver.pipe('in', records(count))
          await driver.idle()
        }
        release()
        await driver.idle()
        assert.deepEqual(metrics.batches, ['count 3', 'count 4', 'count 8', 'count 2'])
      },
      { metrics },
    )
  })

  it('close for pressure when all partitions that hold records wait for credits', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology({ step: { batch: { maxSize: 200, maxWaitMs: 3_600_000 } } }),
      async driver => {
        await driver.pipe('in', records(60))
        await driver.advance(1_000)
        assert.deepEqual(metrics.batches, ['pressure 60'])
        assert.equal((await driver.read('out')).length, 60)
      },
      { metrics, partitions: 2, settings: { maxInFlightRows: 50 } },
    )
  })
})

describe('backpressure', () => {
  it('a lane that hangs stops the fetching: rows in flight stay bounded, and all is done afterwards', async () => {
    const metrics = countingMetrics()
    const maxInFlightRows = 100
    await onFaultyDriver(
      digitTopology({ step: { batch: { maxSize: 16 } } }),
      async (driver, executor) => {
        const release = executor.hang()
        for (let block = 0; block < 60; block++) await driver.pipe('in', records(20, block % 2))
        await driver.advance(10_000)
        // Each partition may hold one block beyond the cap, since a fetch brings whole blocks.
        assert.ok(metrics.mostInFlight <= maxInFlightRows + 2 * 20, `${metrics.mostInFlight} rows in flight`)
        release()
        await driver.advance(10_000)
        assert.equal((await driver.read('out')).length, 1200)
        assert.equal(metrics.inFlightNow, 0)
        assert.ok(metrics.mostInFlight <= maxInFlightRows + 2 * 20, `${metrics.mostInFlight} rows in flight`)
      },
      { metrics, partitions: 2, settings: { maxInFlightRows, maxBytesPerPartition: 100 } },
    )
  })
})
