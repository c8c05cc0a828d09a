import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { batchOf, TestMember } from '../contract/port-harness.ts'

const unavailable = () => new RunInferenceError('BROKER_UNAVAILABLE', 'says the test')

suite('memory broker: taking over under faults', () => {
  async function joined() {
    const clock = createManualClock()
    const broker = createMemoryBroker({ clock })
    const port = broker.connect()
    await port.admin.createTopics([{ name: 't', partitions: 1, replicationFactor: 1, configs: {} }])
    const writer = port.writer()
    const write = (value: string) => writer.send([batchOf('t', 0, [{ value }], clock.wallTime())])
    await write('a')
    const options = {
      groupId: 'group',
      sources: [{ topic: 't', start: 'earliest' as const }],
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 20_000,
      drainBudgetMs: 3_000,
      maxBytesPerPartition: 1_000,
      maxBytesPerFetch: 10_000,
      maxFetchWaitMs: 500,
    }
    const asked = { before: async () => {} }
    const member = new TestMember(port, options, () => asked.before())
    await member.member.start()
    await clock.settle()
    const own = () => [...member.owned.values()][0]!
    return { clock, broker, port, write, member, own, asked }
  }

  test('a member that the group has dropped hears so before anybody is fenced', async () => {
    const { clock, broker, member, own } = await joined()
    member.log.length = 0
    broker.expireMember('group', broker.members('group')[0]!)
    member.member.restart(own())
    await clock.advance(1_000)
    assert.deepEqual(member.log, ['lost:t/0', 'state:rebalancing', 'before:t/0', 'assigned:t/0', 'state:joined'])
    assert.equal(broker.members('group').length, 1)
    await member.member.stop()
  })

  test('in an outage a restart waits for the coordinator, and tells of trouble meanwhile', async () => {
    const { clock, broker, member, own } = await joined()
    member.log.length = 0
    broker.down()
    member.member.restart(own())
    await clock.advance(5_000)
    assert.deepEqual(member.log, ['lost:t/0', 'state:degraded'])
    broker.up()
    await clock.settle()
    assert.deepEqual(member.log.slice(2), ['state:joined', 'before:t/0', 'assigned:t/0'])
    await member.member.stop()
  })

  test('a fence that fails in an outage is tried again, and the member is degraded until then', async () => {
    const { clock, member, own, asked } = await joined()
    member.log.length = 0
    asked.before = async () => {
      throw unavailable()
    }
    member.member.restart(own())
    await clock.advance(250)
    asked.before = async () => {}
    await clock.advance(250)
    assert.equal(member.owned.size, 1)
    assert.deepEqual(
      member.log.filter(line => line.startsWith('state:')),
      ['state:degraded', 'state:joined', 'state:degraded', 'state:joined', 'state:degraded', 'state:joined'],
    )
    await member.member.stop()
  })

  test('when the session ends while the fence is under way, the partition is taken in the next one, once', async () => {
    const { clock, broker, member, own, asked } = await joined()
    const { promise, resolve } = Promise.withResolvers<void>()
    asked.before = () => promise
    member.member.restart(own())
    await clock.advance(600)
    broker.expireMember('group', broker.members('group')[0]!)
    await clock.advance(600)
    assert.equal(member.owned.size, 0)
    resolve()
    await clock.settle()
    assert.equal(member.owned.size, 1)
    assert.equal(member.log.filter(line => line.startsWith('assigned:')).length, 2)
    await member.member.stop()
  })

  test('a member that stops while it is fencing is told nothing more', async () => {
    const { clock, member, own, asked } = await joined()
    const { promise, resolve } = Promise.withResolvers<void>()
    asked.before = () => promise
    member.member.restart(own())
    await clock.advance(100)
    await member.member.stop()
    member.log.length = 0
    resolve()
    await clock.advance(1_000)
    assert.deepEqual(member.log, [])
  })

  test('a client of which only heartbeats are cut goes on reading, and loses everything when its session is over', async () => {
    const { clock, broker, port, write, member } = await joined()
    const mend = broker.cut(port, ['heartbeat'])
    await clock.advance(9_000)
    await write('b')
    await clock.settle()
    assert.deepEqual(member.values, ['a', 'b'])
    await clock.advance(1_000)
    assert.equal(member.log.filter(line => line.startsWith('lost:')).length, 1)
    mend()
    await clock.advance(1_000)
    assert.equal(member.owned.size, 1)
    await member.member.stop()
  })
})
