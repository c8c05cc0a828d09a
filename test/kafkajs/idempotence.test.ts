import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { produceRequest } from '../../src/kafkajs/produce-request.ts'
import { newIdentity, type ProducerIdentity } from '../../src/kafkajs/producer-identity.ts'
import { errorName } from '../../src/kafkajs/protocol-errors.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { batchOf } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()
const shared = { brokers, clock: systemClock, random: Math.random }

describe('a producer identity on a real broker', { skip }, () => {
  const port = createKafkaPort({ ...shared, clientId: 'idempotence', logger: silentLogger })
  const cluster = new Cluster({
    ...shared,
    metadataMaxAgeMs: 30_000,
    connection: {
      clientId: 'idempotence',
      ssl: undefined,
      sasl: undefined,
      connectionTimeoutMs: 5_000,
      requestTimeoutMs: 10_000,
      logger: kafkajsLogger(silentLogger),
    },
  })
  after(async () => {
    cluster.close()
    await port.close()
  })

  async function prepared(what: string) {
    const topic = `${prefix}${what}`
    await port.admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1, configs: {} }])
    cluster.track([topic])
    await cluster.refresh()
    const channel = cluster.channel(cluster.leader(topic, 0), 'test')
    const produce = async (batch: ReturnType<typeof batchOf>) => {
      const answer = await channel.send(produceRequest({ batches: [batch], timeoutMs: 5_000 }))
      const { errorCode, baseOffset } = answer.partitions[0]!
      return { name: errorName(errorCode), baseOffset }
    }
    const batch = (count: number) =>
      batchOf(
        topic,
        0,
        Array.from({ length: count }, (_, i) => ({ value: String(i) })),
        Date.now(),
      )
    let identity: ProducerIdentity | undefined
    // A broker that has just started may not give out ids yet.
    await eventually('a producer id was given', async () => {
      identity = await newIdentity(cluster).catch(() => undefined)
      return identity !== undefined
    })
    return { topic, produce, batch, identity: identity! }
  }

  it('W2 has a batch that is sent again, byte for byte, in the log once', async () => {
    const { topic, produce, batch, identity } = await prepared('resent')
    const first = batch(3)
    identity.stamp(first)
    assert.deepEqual(await produce(first), { name: 'NONE', baseOffset: 0 })
    assert.deepEqual(await produce(first), { name: 'NONE', baseOffset: 0 })
    identity.advance(first)
    const second = batch(2)
    identity.stamp(second)
    assert.deepEqual(await produce(second), { name: 'NONE', baseOffset: 3 })
    assert.deepEqual(await produce(first), { name: 'NONE', baseOffset: 0 })
    assert.equal((await port.admin.offsets(topic))[0]!.end, 5)
  })

  it('W3 is refused behind a gap in its sequence', async () => {
    const { topic, produce, batch, identity } = await prepared('gap')
    const first = batch(1)
    identity.stamp(first)
    await produce(first)
    identity.advance(first)
    identity.advance(batch(1))
    const afterGap = batch(1)
    identity.stamp(afterGap)
    assert.equal((await produce(afterGap)).name, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    assert.equal((await port.admin.offsets(topic))[0]!.end, 1)
  })

  it('W3 goes on from 0 behind sequence 2^31 − 1, which the broker takes', async () => {
    const { topic, produce, batch, identity } = await prepared('wrap')
    // As if 2^31 − 2 records had been written: a broker that knows nothing of this id takes any first sequence.
    identity.advance({ topic, partition: 0, count: 2 ** 31 - 2, bytes: Buffer.alloc(0) })
    for (const count of [4, 3]) {
      const next = batch(count)
      identity.stamp(next)
      assert.equal((await produce(next)).name, 'NONE')
      identity.advance(next)
    }
    assert.equal(identity.sequence(`${topic}/0`), 5)
    assert.equal((await port.admin.offsets(topic))[0]!.end, 7)
  })
})
