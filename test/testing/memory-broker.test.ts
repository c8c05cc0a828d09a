import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { batchOf, recordsOf, TestMember, withCode } from '../contract/port-harness.ts'

const options = {
  groupId: 'group',
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 20_000,
  drainBudgetMs: 3_000,
  maxBytesPerPartition: 1_000,
  maxBytesPerFetch: 10_000,
  maxFetchWaitMs: 500,
}

async function setup(partitions = 1, random?: () => number) {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock, ...(random ? { random } : {}) })
  const port = broker.connect()
  await port.admin.createTopics([{ name: 't', partitions, replicationFactor: 1, configs: {} }])
  const writer = port.writer()
  const batch = (value: string, partition = 0) => batchOf('t', partition, [{ value }], clock.wallTime())
  const send = (...values: string[]) => writer.send(values.map(value => batch(value)))
  const member = (start: 'earliest' | 'latest' = 'earliest') =>
    new TestMember(port, { ...options, sources: [{ topic: 't', start }] })
  return { clock, broker, port, writer, batch, send, member }
}

async function valuesOf(port: KafkaPort, partition = 0): Promise<string[]> {
  const values: string[] = []
  for await (const block of port.scan([{ topic: 't', partition, from: 'earliest', to: 'end' }])) {
    values.push(...recordsOf(block).map(record => String(record.value)))
  }
  return values
}

const refusal = (reason: string) => ({ outcome: 'refused', reason })

suite('memory broker: writing under faults', () => {
  test('an outage is waited out, and everything is written once, in order', async () => {
    const { clock, broker, port, send } = await setup()
    broker.down()
    const sent = [send('a', 'b'), send('c')]
    await clock.advance(30_000)
    broker.up()
    await clock.settle()
    assert.deepEqual(
      (await Promise.all(sent)).flat().map(result => result.outcome === 'acknowledged' && result.baseOffset),
      [0, 1, 2],
    )
    assert.deepEqual(await valuesOf(port), ['a', 'b', 'c'])
  })

  test('an answer that is lost leads to a retry that is not written again', async () => {
    const { clock, broker, port, send } = await setup()
    await send('a')
    broker.loseResponse(2)
    const sent = send('b', 'c')
    await clock.advance(1_000)
    assert.deepEqual(
      (await sent).map(result => result.outcome === 'acknowledged' && result.baseOffset),
      [1, 2],
    )
    assert.deepEqual(await valuesOf(port), ['a', 'b', 'c'])
  })

  test('a refused batch takes no sequence: what follows is written', async () => {
    const { broker, port, send } = await setup()
    const undo = broker.refuse(batch => batch.bytes.includes('bad'), 'INVALID_RECORD')
    assert.deepEqual((await send('a', 'bad', 'b'))[1], refusal('INVALID_RECORD'))
    undo()
    await send('bad')
    assert.deepEqual(await valuesOf(port), ['a', 'b', 'bad'])
  })

  test('an error that is retriable is tried again, another rejects the send', async () => {
    const { clock, broker, port, send } = await setup()
    broker.failNext('produce', new RunInferenceError('BROKER_UNAVAILABLE', 'as told'), 3)
    const sent = send('a')
    await clock.advance(1_000)
    await sent
    broker.failNext('produce', new RunInferenceError('AUTHORISATION', 'as told'))
    await assert.rejects(send('b'), withCode('AUTHORISATION'))
    await send('c')
    assert.deepEqual(await valuesOf(port), ['a', 'c'])
  })

  test('a delay takes the time of the clock', async () => {
    const { clock, broker, send } = await setup()
    broker.delay('produce', 400)
    let isDone = false
    const sent = send('a').then(() => {
      isDone = true
    })
    await clock.advance(399)
    assert.equal(isDone, false)
    await clock.advance(1)
    await sent
  })

  test('a writer that is closed in an outage gives up', async () => {
    const { clock, broker, writer, send } = await setup()
    broker.down()
    const sent = assert.rejects(send('a'), withCode('CLOSED'))
    await clock.settle()
    await writer.close()
    await clock.settle()
    await sent
  })
})

suite('memory broker: reading under faults', () => {
  test('after an outage shorter than the session the same epochs go on', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    await send('a')
    await clock.advance(1_000)
    broker.down()
    await clock.advance(8_000)
    assert.ok(reader.member.alive())
    assert.ok(reader.member.heartbeatAgeMs() >= 7_500)
    broker.up()
    await send('b')
    await clock.advance(1_000)
    assert.deepEqual(reader.values, ['a', 'b'])
    assert.ok(!reader.log.some(line => line.startsWith('lost')))
    assert.deepEqual(
      reader.log.filter(line => line.startsWith('state')),
      ['state:connecting', 'state:joined', 'state:degraded', 'state:joined'],
    )
  })

  test('in an outage longer than the session everything is lost, and read again afterwards', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    await send('a')
    await clock.advance(1_000)
    const { epoch } = reader.owned.get('t/0')!
    broker.down()
    const commit = reader.member.commit([{ topic: 't', partition: 0, epoch, offset: 1 }])
    await clock.advance(11_000)
    assert.ok(!reader.member.alive())
    assert.ok(reader.log.includes('lost:t/0'))
    broker.up()
    await clock.advance(20_000)
    assert.deepEqual(await commit, [false])
    assert.deepEqual(reader.values, ['a', 'a'])
    assert.ok(reader.member.alive())
  })

  test('a member whose session ended loses everything at its next heartbeat', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    await send('a')
    await clock.settle()
    broker.expireMember('group', broker.members('group')[0]!)
    const { epoch } = reader.owned.get('t/0')!
    assert.deepEqual(await reader.member.commit([{ topic: 't', partition: 0, epoch, offset: 1 }]), [false])
    await clock.advance(1_000)
    assert.deepEqual(
      reader.log.filter(line => !line.startsWith('state')),
      ['assigned:t/0', 'lost:t/0', 'assigned:t/0'],
    )
    assert.deepEqual(reader.values, ['a', 'a'])
  })

  test('a forced rebalance of one member changes nothing but its generation', async () => {
    const { clock, broker, send, member } = await setup(3)
    const reader = member()
    await reader.member.start()
    broker.forceRebalance('group')
    await clock.advance(1_000)
    await send('a')
    await clock.advance(100)
    assert.deepEqual(reader.log.slice(-3), ['state:rebalancing', 'rebalance', 'state:joined'])
    assert.ok(!reader.log.some(line => line.startsWith('lost')))
    assert.equal((await reader.commitAll()).length, 3)
    assert.ok((await reader.commitAll()).every(Boolean))
  })

  test('a commit during the join waits for its end', async () => {
    const { clock, broker, member, port } = await setup(2)
    const [first, second] = [member(), member()]
    await first.member.start()
    const started = second.member.start()
    await clock.advance(2_000)
    await started
    // The first member joins at once, and waits for the second, which drains for as long as it may.
    second.drain = () => new Promise(() => {})
    broker.forceRebalance('group')
    await clock.advance(1_000)
    let isDone = false
    const commit = first.commitAll().then(outcome => {
      isDone = true
      return outcome
    })
    await clock.advance(1_000)
    assert.equal(isDone, false)
    await clock.advance(5_000)
    assert.ok((await commit).every(Boolean))
    assert.equal((await port.admin.committed('group', 't')).length, 2)
  })

  test('a fetch that fails for good is fatal, one that is retriable is not', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    broker.failNext('fetch', new RunInferenceError('BROKER_UNAVAILABLE', 'as told'))
    await send('a')
    await clock.advance(1_000)
    assert.deepEqual(reader.values, ['a'])
    broker.failNext('fetch', new RunInferenceError('AUTHORISATION', 'as told'))
    await send('b')
    await clock.advance(1_000)
    assert.equal(reader.log.at(-1), 'fatal:AUTHORISATION')
    assert.deepEqual(reader.values, ['a'])
  })

  test('a block that is on its way when its partition is paused comes after the resume', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    broker.delay('fetch', 100)
    await send('a')
    await clock.advance(50)
    reader.member.pause({ topic: 't', partition: 0 })
    await clock.advance(1_000)
    assert.deepEqual(reader.values, [])
    reader.member.resume({ topic: 't', partition: 0 })
    await clock.advance(1_000)
    assert.deepEqual(reader.values, ['a'])
  })

  test('records that retention took before they were read are not skipped silently', async () => {
    const { clock, broker, send, member } = await setup()
    const reader = member()
    await reader.member.start()
    await clock.settle()
    reader.member.pause({ topic: 't', partition: 0 })
    await send('a', 'b', 'c')
    broker.deleteRecordsBefore('t', 0, 2)
    reader.member.resume({ topic: 't', partition: 0 })
    await clock.advance(1_000)
    assert.equal(reader.log.at(-1), 'fatal:OFFSET_OUT_OF_RANGE')
    assert.deepEqual(reader.values, [])
  })

  test('one seed gives one course of events', async () => {
    const course = async (seed: number) => {
      let state = seed
      const random = () => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31
        return state / 2 ** 31
      }
      const { clock, broker, batch, writer, member } = await setup(5, random)
      const members = [member(), member(), member()]
      const starts = members.map(each => each.member.start())
      for (let i = 0; i < 20; i++) {
        void writer.send([batch(String(i), i % 5)])
        if (i === 7) broker.forceRebalance('group')
        if (i === 12) broker.expireMember('group', broker.members('group')[1]!)
        await clock.advance(random() * 1_000)
      }
      await clock.advance(10_000)
      await Promise.all(starts)
      return JSON.stringify(members.map(({ log, records }) => [log, records]))
    }
    assert.equal(await course(1), await course(1))
    assert.notEqual(await course(1), await course(2))
  })
})
