import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { type Clock, systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'
import { ScriptedBroker } from '../support/scripted-broker.ts'

function clusterOf(clock: Clock): Cluster {
  const settings = { clientId: 'c', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) }
  return new Cluster({
    // Port 1 on loopback: nobody listens.
    ...{ brokers: ['127.0.0.1:1'], clock, random: () => 0.5, metadataMaxAgeMs: 30_000 },
    connection: { ...settings, connectionTimeoutMs: 1_000, requestTimeoutMs: 1_000 },
  })
}

describe('a cluster', () => {
  it('that was closed asks nothing any more, at any time, whoever wants to know', async () => {
    const clock = createManualClock()
    const cluster = clusterOf(clock)
    await assert.rejects(cluster.refresh(), withCode('BROKER_UNAVAILABLE'))
    assert.equal(clock.nextTimerMs(), 30_000)
    cluster.close()
    await assert.rejects(cluster.refresh(), withCode('CLOSED'))
    await assert.rejects(cluster.coordinator('group', 'g', 'p'), withCode('CLOSED'))
    assert.throws(() => cluster.channel(1, 'p'))
    assert.equal(clock.nextTimerMs(), undefined)
  })

  it('knows the leaders of a topic that was tracked while others were asked for', async () => {
    const broker = new ScriptedBroker(systemClock, ['one', 'two'])
    const cluster = clusterOf(systemClock)
    try {
      cluster.track(['one'])
      const first = cluster.refresh()
      cluster.track(['two'])
      await Promise.all([first, cluster.refresh()])
      assert.deepEqual(
        ['one', 'two'].map(topic => cluster.leader(topic, 0) >= 0),
        [true, true],
      )
    } finally {
      cluster.close()
      broker.end()
    }
  })
})
