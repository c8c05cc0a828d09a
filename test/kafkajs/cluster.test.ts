import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'

describe('a cluster', () => {
  it('that was closed asks nothing any more, at any time, whoever wants to know', async () => {
    const clock = createManualClock()
    const settings = { clientId: 'c', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) }
    const cluster = new Cluster({
      // Port 1 on loopback: nobody listens.
      ...{ brokers: ['127.0.0.1:1'], clock, random: () => 0.5, metadataMaxAgeMs: 30_000 },
      connection: { ...settings, connectionTimeoutMs: 1_000, requestTimeoutMs: 1_000 },
    })
    await assert.rejects(cluster.refresh(), withCode('BROKER_UNAVAILABLE'))
    assert.equal(clock.nextTimerMs(), 30_000)
    cluster.close()
    await assert.rejects(cluster.refresh(), withCode('CLOSED'))
    await assert.rejects(cluster.coordinator('group', 'g', 'p'), withCode('CLOSED'))
    assert.throws(() => cluster.channel(1, 'p'))
    assert.equal(clock.nextTimerMs(), undefined)
  })
})
