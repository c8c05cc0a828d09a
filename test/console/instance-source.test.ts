// What an instance shows of itself, on a broker in memory: a real run, its metrics and its health.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConsoleSnapshot } from '../../src/console/console-api.ts'
import type { ConsoleSource } from '../../src/console/console-source.ts'
import { instanceSource } from '../../src/console/instance-source.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createMetrics, type Metrics } from '../../src/ops/metrics.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { feed, onDriver, passed } from '../support/on-driver.ts'

const { signal } = new AbortController()
const topology = digitTopology({ step: { modelMetadata: true } })

async function onConsole(
  body: (driver: TopologyDriver, source: ConsoleSource, look: () => Promise<ConsoleSnapshot>) => Promise<void>,
  metrics: Metrics = createMetrics(),
): Promise<void> {
  await onDriver(
    topology,
    async driver => {
      const { clock, port, registry, running } = driver
      const refusing = () => assert.fail('nobody publishes here')
      const models = { publish: refusing, change: refusing }
      const source = instanceSource({
        ...{ topology, port, registry, readSchema: async () => '', logger: silentLogger, clock, random: () => 0.5 },
        ...{ version: '1.2.3', guarantee: 'at_least_once', by: 'test', allowedTopics: [], instance: 'i-1' },
        ...{ running, metrics, models },
      })
      await body(driver, source, () => passed(driver, source.snapshots.take(signal)))
      await source.close()
    },
    { metrics },
  )
}

describe('the console of an instance', () => {
  it('says what it is, with the topology as a graph', async () => {
    await onConsole(async (_, source) => {
      const { graph, ...about } = source.about()
      const expected = { application: 't', topology: 't', scope: 'instance', instance: 'i-1', version: '1.2.3' }
      assert.deepEqual(about, { ...expected, guarantee: 'at_least_once' })
      const kinds = graph.nodes.map(({ kind, label }) => `${kind} ${label}`)
      assert.deepEqual(kinds.slice(0, 2), ['source in', 'step classify'])
      assert.equal(kinds.filter(kind => kind.startsWith('dead-letters')).length, 3)
      for (const { from, to } of graph.edges)
        for (const end of [from, to])
          assert.ok(
            graph.nodes.some(({ id }) => id === end),
            end,
          )
    })
  })

  it('tells rates, quantiles and batches of what came since it looked before, and nothing at first', async () => {
    await onConsole(async (driver, source, look) => {
      await feed(driver, [{ key: 'a', value: '5' }])
      const first = await look()
      assert.deepEqual([first.throughput, first.rates, first.latency, first.batches], [{}, {}, undefined, undefined])
      const records = Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, value: i % 4 === 0 ? 'pre' : '5' }))
      await feed(driver, records)
      const { throughput, latency, batches, rates, deadLetters, instances, state, ready, at } = await look()
      assert.deepEqual([state, ready, !Number.isNaN(Date.parse(at))], ['joined', true, true])
      const seconds = 40 / throughput.inPerSecond!
      assert.ok(seconds >= 1 && seconds < 10, `${seconds}`)
      assert.equal(throughput.outPerSecond, 40 / seconds)
      assert.equal(instances[0]!.inPerSecond, throughput.inPerSecond)
      assert.ok(Math.abs(throughput.failedPerSecond! - 10 / seconds) < 1e-9)
      assert.ok(latency!.compute.p50 > 0 && latency!.compute.p50 <= latency!.compute.p99)
      assert.ok(latency!.total.p50 > 0 && latency!.queue.p99 >= latency!.queue.p50)
      assert.ok(batches!.meanRows! > 0 && batches!.perSecond > 0)
      assert.equal(
        batches!.sizes.reduce((sum, { count }) => sum + count, 0),
        Math.round(batches!.perSecond * seconds),
      )
      const { edges } = source.about().graph
      const into = (to: string) => edges.find(edge => edge.to === to)!.id
      assert.ok(Math.abs(rates[into('topic t.classify.failed-preprocess')]! - 10 / seconds) < 1e-9)
      assert.ok(Math.abs(rates[into('topic out')]! - 30 / seconds) < 1e-9)
      assert.equal(deadLetters.find(({ topic }) => topic.endsWith('preprocess'))!.records, 0, 'looked at 5 s ago')
    })
  })

  it('counts dead letters and sees publications a few seconds later', async () => {
    await onConsole(async (driver, _, look) => {
      await look()
      await feed(driver, [{ key: 'a', value: 'pre' }])
      await driver.publishModel('classify', { modelId: 'models/digits-mlp-v2.onnx', modelName: 'v2' })
      await driver.advance(6_000)
      const { deadLetters, models, replays } = await look()
      assert.deepEqual(
        deadLetters.map(({ records }) => records),
        [1, 0, 0],
      )
      const [slot] = models
      assert.deepEqual([slot!.slot, slot!.revision, slot!.stable!.modelName], ['classify', 1, 'v2'])
      assert.deepEqual(
        slot!.fleet.map(({ state, modelId }) => [state, modelId]),
        [['current', 'models/digits-mlp-v2.onnx']],
      )
      assert.deepEqual(replays, [])
    })
  })

  it('shows its partitions before anything came to them', async () => {
    await onConsole(async (driver, _, look) => {
      const { partitions, instances, lag } = await look()
      assert.deepEqual(
        partitions.map(({ topic, partition, committed, end, lag: each, owner }) => [
          `${topic}/${partition}`,
          ...[committed, end, each, owner],
        ]),
        Object.keys(driver.running.positions()).map(place => [place, 0, 0, 0, 'i-1']),
      )
      assert.ok(partitions.length > 1)
      assert.equal(lag.records, 0)
      assert.deepEqual(
        instances.map(({ instance, isMember, partitions: count }) => [instance, isMember, count]),
        [['i-1', true, partitions.length]],
      )
    })
  })

  it('goes on with what it knows by itself while no broker answers', async () => {
    await onConsole(async (driver, _, look) => {
      await feed(driver, [{ key: 'a', value: '5' }])
      await look()
      driver.broker.down()
      await driver.advance(10_000)
      const { partitions, models } = await look()
      assert.ok(partitions.length > 0)
      assert.equal(models.length, 1)
      driver.broker.up()
    })
  })

  it('leaves alone what is reset by asking: the longest stall is for /metrics', async () => {
    const metrics = createMetrics()
    await onConsole(async (_, __, look) => {
      metrics.stalled(1_500)
      await look()
      assert.match(await metrics.text(), /kri_event_loop_stall_seconds 1\.5/)
    }, metrics)
  })
})
