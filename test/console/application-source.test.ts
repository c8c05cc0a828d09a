// What kri console shows of an application, on a broker in memory: real instances, of which it knows what they have written.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applicationSource } from '../../src/console/application-source.ts'
import type { ConsoleSnapshot } from '../../src/console/console-api.ts'
import { modelStatusTopic } from '../../src/kafka/topic-names.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createMetrics } from '../../src/ops/metrics.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import { encodeStatus } from '../../src/refresh/status-record.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { statsOf } from '../support/instance-stats.ts'
import { feed, onDriver, passed, secondInstance } from '../support/on-driver.ts'
import { sealedBatch } from '../support/record-batches.ts'

const { signal } = new AbortController()
const topology = digitTopology({ step: { modelMetadata: true } })

async function onConsole(
  body: (driver: TopologyDriver, look: () => Promise<ConsoleSnapshot>) => Promise<void>,
  metrics: PipelineMetrics = createMetrics(),
): Promise<void> {
  await onDriver(
    topology,
    async driver => {
      const { broker, clock, registry } = driver
      const refusing = () => assert.fail('nobody publishes here')
      const source = applicationSource({
        ...{ topology, port: broker.connect(), registry, readSchema: async () => '', logger: silentLogger, clock },
        ...{ random: () => 0.5, version: '1.2.3', guarantee: 'at_least_once', by: 'test', allowedTopics: [] },
        models: { publish: refusing, change: refusing },
      })
      await body(driver, () => passed(driver, source.snapshots.take(signal)))
      await source.close()
    },
    { metrics },
  )
}

const records = Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, value: i % 4 === 0 ? 'pre' : '5' }))
const only = ({ latency, batches, told }: ConsoleSnapshot) => ({ latency, batches, told })

describe('the console of an application', () => {
  it('has no rates in its first snapshot, and does not know what no instance has told yet', async () => {
    await onConsole(async (driver, look) => {
      await feed(driver, records)
      const first = await look()
      assert.deepEqual([first.throughput, first.rates], [{}, {}])
      assert.deepEqual(only(first), { latency: undefined, batches: undefined, told: undefined })
      assert.equal('inPerSecond' in first.instances[0]!, false)
      await feed(driver, records)
      await driver.advance(2_000)
      const { throughput, rates } = await look()
      const { inPerSecond, outPerSecond, failedPerSecond } = throughput
      assert.ok(inPerSecond! > 0 && outPerSecond === inPerSecond, JSON.stringify(throughput))
      assert.ok(Math.abs(failedPerSecond! - inPerSecond! / 4) < 1e-9, JSON.stringify(throughput))
      assert.ok(Object.keys(rates).length > 0)
    })
  })

  it('shows latency and batches half a minute later, of all members together', async () => {
    await onConsole(async (driver, look) => {
      const second = await secondInstance(driver, topology, {}, undefined, { metrics: createMetrics() })
      await feed(driver, records)
      await driver.advance(35_000)
      const { instances, latency, batches, told } = await look()
      assert.deepEqual(told, { instances: 2, members: 2 })
      assert.ok(latency!.compute.p50 > 0 && latency!.compute.p50 <= latency!.compute.p99)
      assert.ok(latency!.queue.p99 >= latency!.queue.p50 && latency!.total.p50 > 0)
      assert.ok(batches!.perSecond > 0 && batches!.meanRows! > 0 && Object.keys(batches!.closed).length > 0)
      const rates = instances.map(each => [each.inPerSecond!, each.outPerSecond!, each.failedPerSecond!])
      const [read, done, failed] = [0, 1, 2].map(i => rates.reduce((sum, each) => sum + each[i]!, 0))
      assert.ok(read! > 0 && Math.abs(read! - done!) < 1e-9 && Math.abs(failed! - read! / 4) < 1e-9, `${rates}`)
      await passed(driver, second.stop())
    })
  })

  it('says of how many members it is, where others tell nothing', async () => {
    await onConsole(async (driver, look) => {
      const second = await secondInstance(driver, topology, {}, undefined, { metrics: nullMetrics })
      await feed(driver, records)
      await driver.advance(31_000)
      const { instances, told } = await look()
      assert.deepEqual(told, { instances: 1, members: 2 })
      assert.deepEqual(instances.map(each => each.inPerSecond !== undefined).toSorted(), [false, true])
      await passed(driver, second.stop())
    })
  })

  it('takes no word of an instance that is no member, or has long been silent', async () => {
    await onConsole(async (driver, look) => {
      const [member] = (await passed(driver, driver.port.admin.describeGroup('t'))).members
      const tell = async (instance: string, memberIds: readonly string[]) => {
        const writtenAt = new Date(driver.clock.wallTime()).toISOString()
        const value = encodeStatus({
          ...{ instance, memberIds, slots: [], ignored: {}, writtenAt },
          stats: statsOf(() => 9),
        })
        const record = { timestamp: driver.clock.wallTime(), key: Buffer.from(instance), value, headers: [] }
        const writer = driver.port.writer()
        await passed(driver, writer.send([sealedBatch([record], modelStatusTopic('t'), 0)]))
        await writer.close()
      }
      await tell('gone', ['gone-1'])
      await driver.advance(6_000)
      assert.deepEqual(only(await look()), { latency: undefined, batches: undefined, told: undefined })
      await tell('silent', [member!.memberId])
      await driver.advance(6_000)
      assert.deepEqual((await look()).told, { instances: 1, members: 1 })
      await driver.advance(90_000)
      assert.deepEqual(only(await look()), { latency: undefined, batches: undefined, told: undefined })
    }, nullMetrics)
  })
})
