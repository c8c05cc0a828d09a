import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { Channel, mayHaveBeenSent } from '../../src/kafkajs/channel.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { TransactionLanes } from '../../src/kafkajs/transaction-lanes.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { withCode } from '../contract/port-harness.ts'
import { batch, CODES, scriptedTransactions, TIMEOUT_MS } from '../support/scripted-transactions.ts'

const offsets = [{ topic: 'in', partition: 0, offset: 1 }]

describe('what a transactional writer cannot mend', () => {
  it('is told with what has to be granted', async () => {
    const { writer, answer, clock } = scriptedTransactions()
    answer('InitProducerId', CODES.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    await assert.rejects(writer.fence(), /\[AUTHORISATION\].*Write on transactional id 'x'/)
    await writer.fence()
    answer('AddPartitionsToTxn', { 0: CODES.OPERATION_NOT_ATTEMPTED, 1: CODES.TOPIC_AUTHORIZATION_FAILED })
    await assert.rejects(writer.send([batch(0, 'a'), batch(1, 'b')]), /\[AUTHORISATION\].*Write on topic 't'/)
    await writer.fence()
    answer('AddOffsetsToTxn', CODES.GROUP_AUTHORIZATION_FAILED)
    await assert.rejects(writer.sendOffsets('g', offsets), withCode('AUTHORISATION'))
    await writer.fence()
    answer('TxnOffsetCommit', CODES.TOPIC_AUTHORIZATION_FAILED)
    await assert.rejects(writer.sendOffsets('g', offsets), /\[AUTHORISATION\].*Read on topic 'in'/)
    await clock.settle()
  })

  it('is told with the settings that are wrong', async () => {
    const { writer, answer } = scriptedTransactions()
    answer('InitProducerId', CODES.INVALID_TRANSACTION_TIMEOUT)
    await assert.rejects(writer.fence(), /\[BROKER_REFUSED\].*transaction\.max\.timeout\.ms/)
  })

  it('is a topic that stays missing; one that the coordinator does not know yet is waited for', async () => {
    const { fenced, topic, answer, clock } = scriptedTransactions()
    const writer = await fenced()
    answer('AddPartitionsToTxn', CODES.UNKNOWN_TOPIC, CODES.UNKNOWN_TOPIC)
    const known = writer.send([batch(0, 'a')])
    await clock.advance(1_000)
    assert.equal((await known)[0]!.outcome, 'acknowledged')
    await writer.commit()
    const beyond = assert.rejects(writer.send([batch(9, 'a')]), withCode('TRANSACTION_LOST'))
    await clock.advance(TIMEOUT_MS + 1_000)
    await beyond
    await writer.fence()
    Object.assign(topic, { errorCode: 3, leaders: [] })
    const missing = assert.rejects(writer.send([batch(0, 'a')]), withCode('TOPIC_MISSING'))
    await clock.advance(TIMEOUT_MS + 1_000)
    await missing
  })
})

describe('a fence', () => {
  it('is one attempt: it rejects in an outage, and can be tried again', async () => {
    const { writer, answer, requests } = scriptedTransactions()
    answer('InitProducerId', 'no answer')
    await assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
    await assert.rejects(writer.send([batch(0, 'a')]), withCode('TRANSACTION_LOST'))
    await writer.fence()
    assert.equal(requests.filter(request => request === 'InitProducerId').length, 2)
  })

  it('does not wait for ever while a transaction is being ended', async () => {
    const { writer, answer, clock } = scriptedTransactions()
    answer('InitProducerId', ...new Array<number>(9_999).fill(CODES.CONCURRENT_TRANSACTIONS))
    const refused = assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
    await clock.advance(6_000)
    await refused
  })

  it('that never finds a coordinator names the settings of the brokers, once', async () => {
    const lines: string[] = []
    const logger = { ...silentLogger, error: (_fields: object, message: string) => void lines.push(message) }
    const { writer, answer, clock } = scriptedTransactions({ logger })
    answer('InitProducerId', ...new Array<number>(9_999).fill(CODES.COORDINATOR_NOT_AVAILABLE))
    for (let i = 0; i < 4; i++) {
      const refused = assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
      await clock.advance(6_000)
      await refused
    }
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /transaction\.state\.log\.replication\.factor.*transaction\.state\.log\.min\.isr/)
  })
})

describe('the connections of transactional writers', () => {
  it('are shared: one for two writers, four at most, and closed with the last of their writers', () => {
    const closed: string[] = []
    const lanes = new TransactionLanes('t', purpose => void closed.push(purpose))
    const writers = Array.from({ length: 64 }, () => lanes.enter())
    const used = (count: number) => new Set(writers.slice(0, count).map(({ purpose }) => purpose)).size
    assert.deepEqual([1, 2, 3, 4, 5, 7, 64].map(used), [1, 1, 2, 2, 3, 4, 4])
    const sizes = Map.groupBy(writers, ({ purpose }) => purpose)
    assert.deepEqual(
      [...sizes.values()].map(list => list.length),
      [16, 16, 16, 16],
    )
    for (const { leave } of sizes.get('t:2')!) leave()
    assert.deepEqual(closed, ['t:2 '])
    assert.equal(lanes.enter().purpose, 't:2')
  })

  it('T4 tell a request that was never sent from one that may have been', async () => {
    const settings = { clientId: 'c', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) }
    // Port 1 on loopback: nobody listens.
    const channel = new Channel('127.0.0.1:1', { ...settings, connectionTimeoutMs: 1_000, requestTimeoutMs: 1_000 })
    const failure = await channel.call('EndTxn', {}).catch((error: RunInferenceError) => error)
    assert.ok(failure instanceof RunInferenceError)
    assert.equal(mayHaveBeenSent(failure), false)
  })
})
