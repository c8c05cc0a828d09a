import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { LANE_PLACES } from '../../src/models/executor.ts'
import type { OutputRecord, TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { onDriver, onFaultyDriver, passed, secondInstance } from '../support/on-driver.ts'

const PARTITIONS = 4

function records(count: number, from = 0) {
  return Array.from({ length: count }, (_, i) => ({
    key: `k${from + i}`,
    value: String((from + i) % 17),
    partition: (from + i) % PARTITIONS,
  }))
}

const sources = (out: readonly OutputRecord[]) => out.map(({ headers }) => headers['kri-source']!)

/** First occurrences, per partition, must come in source order: what is sent again after a loss may repeat a part. */
function assertOrder(out: readonly OutputRecord[]): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const offsets = sources(out.filter(record => record.partition === partition)).map(source =>
      Number(source.split('/')[2]),
    )
    const firsts = offsets.filter((offset, i) => offsets.indexOf(offset) === i)
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
      `partition ${partition}`,
    )
  }
}

async function committed(driver: TopologyDriver): Promise<number> {
  return (await driver.port.admin.committed('t', 'in')).reduce((sum, offset) => sum + offset, 0)
}

describe('a member', () => {
  it('that is expelled while a batch is in a lane drops it; the records are processed again, once', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology({ step: { batch: { maxSize: 8 } } }),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', records(40))
        await driver.advance(100)
        const [member] = driver.broker.members('t')
        driver.broker.expireMember('t', member!)
        await driver.advance(2_000)
        assert.ok(metrics.lostRecords > 0)
        assert.deepEqual(await driver.read('out'), [], 'nothing of the lost epoch was sent')
        release()
        await driver.advance(10_000)
        const out = await driver.read('out')
        assert.equal(out.length, 40, 'once: the batch of the lost epoch gave no output')
        assert.equal(new Set(sources(out)).size, 40)
        assertOrder(out)
        assert.equal(await committed(driver), 40)
        assert.equal(metrics.inFlightNow, 0, 'credits came back')
        const ran = executor.runs.reduce((sum, { rows }) => sum + rows, 0)
        assert.ok(ran <= LANE_PLACES * 8 + 40, `what waited under the lost epoch was not run: ${ran} rows`)
      },
      { partitions: PARTITIONS, metrics },
    )
  })

  it('that is not heard of sends nothing until it is, and then nothing is lost', async () => {
    await onFaultyDriver(
      digitTopology(),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', records(8))
        await driver.advance(100)
        driver.broker.down()
        await driver.advance(50_000)
        release()
        await driver.advance(1_000)
        driver.broker.up()
        // The group still waits for the member that it was before, until that one's session is over.
        await driver.advance(70_000)
        const out = await driver.read('out')
        assert.equal(new Set(sources(out)).size, 8)
        assert.equal(out.length, 8)
        assert.equal(await committed(driver), 8)
      },
      { partitions: PARTITIONS },
    )
  })
})

describe('a second instance', () => {
  it('joins and leaves in mid-run: nothing lost, order per partition, no duplicates', async () => {
    const graph = digitTopology({ step: { batch: { maxSize: 16 } } })
    await onDriver(
      graph,
      async driver => {
        let fed = 0
        const more = async (count: number) => {
          await driver.pipe('in', records(count, fed))
          fed += count
        }
        await more(200)
        const joining = secondInstance(driver, graph)
        await more(200)
        const second = await joining
        await more(200)
        await driver.advance(2_000)
        assert.equal(driver.broker.members('t').length, 2)
        await more(200)
        await passed(driver, second.stop())
        await more(200)
        await driver.advance(20_000)
        const out = await driver.read('out')
        assert.equal(new Set(sources(out)).size, fed, 'nothing lost')
        assert.equal(out.length, fed, 'both sides drained before they moved: no duplicates')
        assertOrder(out)
        assert.equal(await committed(driver), fed)
      },
      { partitions: PARTITIONS },
    )
  })

  it('takes over what a member had in a lane when it was expelled: duplicates at most of what was uncommitted', async () => {
    const graph = digitTopology()
    await onFaultyDriver(
      graph,
      async (driver, executor) => {
        const second = await secondInstance(driver, graph)
        const release = executor.hang()
        await driver.pipe('in', records(80))
        await driver.advance(500)
        driver.broker.expireMember('t', driver.broker.members('t')[0]!)
        await driver.advance(5_000)
        release()
        await driver.advance(10_000)
        const out = await driver.read('out')
        assert.equal(new Set(sources(out)).size, 80)
        assert.equal(out.length, 80)
        assertOrder(out)
        await passed(driver, second.stop())
      },
      { partitions: PARTITIONS },
    )
  })
})

describe('a rebalance', () => {
  it('whose last commit is refused for good ends the application with the reason', async () => {
    await onDriver(digitTopology(), async driver => {
      driver.broker.failNext('commit', new RunInferenceError('AUTHORISATION', 'no right to commit'))
      driver.broker.forceRebalance('t')
      await driver.advance(450)
      await driver.pipe('in', [{ key: 'k', value: '5' }])
      await assert.rejects(passed(driver, driver.running.finished), /AUTHORISATION.*no right to commit/)
    })
  })
})

describe('caught up', () => {
  it('is waited for through an outage of the broker', async () => {
    await onFaultyDriver(digitTopology(), async (driver, executor) => {
      const release = executor.hang()
      await driver.pipe('in', [{ key: 'k', value: '5' }])
      const caughtUp = driver.running.whenCaughtUp()
      await driver.advance(1_000)
      driver.broker.down()
      release()
      await driver.advance(20_000)
      driver.broker.up()
      await passed(driver, caughtUp)
      assert.equal(await committed(driver), 1)
      await driver.advance(1_000)
      assert.deepEqual(driver.running.health().problems, {})
    })
  })
})

describe('stop', () => {
  it('finishes what was taken, closes held batches, commits, and leaves', async () => {
    const metrics = countingMetrics()
    await onDriver(
      digitTopology({ step: { batch: { maxSize: 256, maxWaitMs: 60_000 } } }),
      async driver => {
        await driver.pipe('in', records(50))
        await driver.advance(100)
        assert.deepEqual(await driver.read('out'), [], 'held')
        await passed(driver, driver.running.stop())
        assert.equal((await driver.read('out')).length, 50)
        assert.equal(await committed(driver), 50)
        assert.deepEqual(driver.broker.members('t'), [])
        assert.deepEqual(metrics.batches, ['shutdown 50'])
      },
      { partitions: PARTITIONS, metrics },
    )
  })

  it('ends after its budget when a lane does not answer, with nothing of that committed', async () => {
    await onFaultyDriver(
      digitTopology(),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', records(8))
        await driver.advance(100)
        const stopping = driver.running.stop()
        await driver.advance(2_500)
        assert.deepEqual(driver.broker.members('t'), [], 'it has left the group')
        release()
        await passed(driver, stopping)
        assert.equal(await committed(driver), 0)
        assert.deepEqual(await driver.read('out'), [])
      },
      { partitions: PARTITIONS, settings: { shutdownBudgetMs: 2_000 } },
    )
  })

  it('may be called twice, and before the start is over', async () => {
    await onDriver(digitTopology(), async driver => {
      const again = secondInstance(driver, digitTopology())
      const second = await again
      await passed(driver, Promise.all([second.stop(), second.stop()]))
      await second.finished
    })
  })
})
