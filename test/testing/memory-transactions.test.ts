import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { batchOf, recordsOf, withCode } from '../contract/port-harness.ts'

const TIMEOUT_MS = 5_000
const isLost = withCode('TRANSACTION_LOST')
const unavailable = () => new RunInferenceError('BROKER_UNAVAILABLE', 'says the test')

async function setup() {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock })
  const port = broker.connect()
  await port.admin.createTopics([{ name: 't', partitions: 1, replicationFactor: 1, configs: {} }])
  const open = (transactionalId = 'id') => port.transactionalWriter({ transactionalId, timeoutMs: TIMEOUT_MS })
  const batch = (value: string) => batchOf('t', 0, [{ value }], clock.wallTime())
  const writer = open()
  await writer.fence()
  const values = async () => {
    const found: string[] = []
    for await (const block of port.scan([{ topic: 't', partition: 0, from: 'earliest', to: 'end' }]))
      found.push(...recordsOf(block).map(record => String(record.value)))
    return found.join()
  }
  const offset = async () => (await port.admin.committed('group', 't'))[0]
  const sendOffset = (to: number) => writer.sendOffsets('group', [{ topic: 't', partition: 0, offset: to }])
  /** Lets this much time pass for what may need it. */
  const within = async <T>(ms: number, work: Promise<T>): Promise<T> => {
    work.catch(() => {})
    await clock.advance(ms)
    return work
  }
  return { clock, broker, port, open, batch, writer, values, offset, sendOffset, within }
}

suite('memory broker: transactions under faults', () => {
  test('answers that are lost are asked for again: everything happens once', async () => {
    const { broker, batch, writer, values, offset, sendOffset, within } = await setup()
    for (const point of ['transactionSend', 'sendOffsets', 'endTransaction'] as const) broker.loseResponse(2, point)
    await within(1_000, writer.send([batch('a')]))
    await within(1_000, sendOffset(1))
    await within(1_000, writer.commit())
    assert.equal(await values(), 'a')
    assert.equal(await offset(), 1)
    broker.loseResponse(1, 'endTransaction')
    await writer.send([batch('b')])
    await within(1_000, writer.abort())
    await writer.send([batch('c')])
    await writer.commit()
    assert.equal(await values(), 'a,c')
  })

  test('a commit whose answers are lost for longer than the time-out is TRANSACTION_LOST, though it was done', async () => {
    const { broker, batch, writer, values, within } = await setup()
    await writer.send([batch('a')])
    broker.loseResponse(1_000, 'endTransaction')
    await assert.rejects(within(TIMEOUT_MS + 200, writer.commit()), isLost)
    for (const call of [() => writer.send([batch('b')]), () => writer.commit(), () => writer.abort()])
      await assert.rejects(call(), isLost)
    await writer.fence()
    assert.equal(await values(), 'a')
  })

  test('a commit that an outage keeps from the broker for too long is TRANSACTION_LOST, and was not done', async () => {
    const { clock, broker, batch, writer, values, offset, sendOffset, within } = await setup()
    await writer.send([batch('a')])
    await sendOffset(1)
    broker.down()
    await assert.rejects(within(TIMEOUT_MS + 200, writer.commit()), isLost)
    await assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
    broker.up()
    await within(100, writer.fence())
    await clock.advance(TIMEOUT_MS)
    assert.equal(await values(), '')
    assert.equal(await offset(), -1)
  })

  test('a short outage is waited out by every call', async () => {
    const { clock, broker, batch, writer, values, sendOffset } = await setup()
    for (const call of [() => writer.send([batch('a')]), () => sendOffset(1), () => writer.commit()]) {
      broker.down()
      const done = call()
      await clock.advance(1_000)
      broker.up()
      await done
    }
    assert.equal(await values(), 'a')
  })

  test('errors that trying again does not mend reject the call and what follows, until the next fence', async () => {
    const { broker, batch, writer, values, within } = await setup()
    for (const point of ['transactionSend', 'sendOffsets', 'endTransaction', 'fence'] as const) {
      broker.failNext(point, new RunInferenceError('AUTHORISATION', 'says the test'))
      const isRefused = withCode('AUTHORISATION')
      if (point === 'fence') await assert.rejects(writer.fence(), isRefused)
      else if (point === 'sendOffsets')
        await assert.rejects(writer.sendOffsets('group', [{ topic: 't', partition: 0, offset: 1 }]), isRefused)
      else if (point === 'transactionSend') await assert.rejects(writer.send([batch(point)]), isRefused)
      else {
        await writer.send([batch(point)])
        await assert.rejects(writer.commit(), isRefused)
      }
      await assert.rejects(writer.commit())
      broker.timeOutTransaction('id')
      await within(10, writer.fence())
    }
    assert.equal(await values(), '')
  })

  test('a fence fails in an outage, and when its answer is lost; the next one takes the id', async () => {
    const { broker, batch, writer, values } = await setup()
    broker.loseResponse(1, 'fence')
    await assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
    await assert.rejects(writer.send([batch('a')]), isLost)
    broker.failNext('fence', unavailable())
    await assert.rejects(writer.fence(), withCode('BROKER_UNAVAILABLE'))
    await writer.fence()
    await writer.send([batch('b')])
    await writer.commit()
    assert.equal(await values(), 'b')
  })

  test('until the markers are written nothing is seen, and both the next transaction and a fence wait', async () => {
    const { clock, broker, batch, writer, values, offset, sendOffset, open } = await setup()
    broker.delay('markers', 300)
    await writer.send([batch('a')])
    await sendOffset(1)
    await writer.commit()
    const next = writer.send([batch('b')])
    const other = open()
    const fenced = other.fence()
    let isFenced = false
    void fenced.then(() => {
      isFenced = true
    })
    await clock.advance(299)
    assert.equal(await values(), '')
    assert.equal(await offset(), -1)
    assert.equal(isFenced, false)
    await clock.advance(10)
    assert.equal(await values(), 'a')
    assert.equal(await offset(), 1)
    // The next transaction may have been open already: then it is aborted first.
    await clock.advance(310)
    await fenced
    await next.catch(withCode('TRANSACTION_FENCED'))
    await assert.rejects(writer.commit(), withCode('TRANSACTION_FENCED'))
    assert.equal(await values(), 'a')
  })

  test('a transaction that is open for too long is aborted by the clock, and its writer is TRANSACTION_LOST', async () => {
    const { clock, broker, batch, writer, values, offset, sendOffset } = await setup()
    await writer.send([batch('a')])
    await sendOffset(1)
    assert.deepEqual(broker.openTransactions(), ['id'])
    await clock.advance(TIMEOUT_MS - 1)
    assert.deepEqual(broker.openTransactions(), ['id'])
    await clock.advance(1)
    assert.deepEqual(broker.openTransactions(), [])
    await assert.rejects(writer.commit(), isLost)
    assert.equal(await values(), '')
    assert.equal(await offset(), -1)
    await writer.fence()
    await writer.send([batch('b')])
    await writer.commit()
    assert.equal(await values(), 'b')
  })

  test('time-outs wait for the end of an outage', async () => {
    const { clock, broker, batch, writer } = await setup()
    await writer.send([batch('a')])
    broker.down()
    await clock.advance(2 * TIMEOUT_MS)
    assert.deepEqual(broker.openTransactions(), ['id'])
    broker.up()
    await clock.settle()
    assert.deepEqual(broker.openTransactions(), [])
    await assert.rejects(writer.commit(), isLost)
  })

  test('a send that is on its way when the id is taken over changes nothing', async () => {
    const { clock, broker, batch, writer, values, open } = await setup()
    await writer.send([batch('a')])
    broker.delay('transactionSend', 1_000)
    const late = writer.send([batch('late')])
    const present = open()
    const fenced = present.fence()
    await clock.advance(10)
    await fenced
    late.catch(() => {})
    await clock.advance(1_000)
    await assert.rejects(late, withCode('TRANSACTION_FENCED'))
    broker.delay('transactionSend', 0)
    await present.send([batch('b')])
    await present.commit()
    assert.equal(await values(), 'b')
  })

  test('a call that a fence of the same writer overtakes does nothing more', async () => {
    const { clock, broker, batch, writer, values } = await setup()
    broker.delay('transactionSend', 1_000)
    const late = writer.send([batch('late')])
    await writer.fence()
    late.catch(() => {})
    await clock.advance(1_000)
    await assert.rejects(late, isLost)
    broker.delay('transactionSend', 0)
    await writer.send([batch('b')])
    await writer.commit()
    assert.equal(await values(), 'b')
  })

  test('what a client sends while it is cut off comes late, and is refused when the id was taken over meanwhile', async () => {
    const { clock, broker, open, values } = await setup()
    const client = broker.connect()
    const former = client.transactionalWriter({ transactionalId: 'id', timeoutMs: TIMEOUT_MS })
    await former.fence()
    const batch = () => batchOf('t', 0, [{ value: 'x' }], clock.wallTime())
    await former.send([batch()])
    const mend = broker.cut(client)
    const late = former.send([batch()])
    late.catch(() => {})
    await former.close()
    const present = open()
    const fenced = present.fence()
    await clock.advance(10)
    await fenced
    mend()
    await clock.settle()
    await assert.rejects(late, withCode('CLOSED'))
    await present.send([batch()])
    await present.commit()
    assert.equal(await values(), 'x')
  })

  test('one call at a time', async () => {
    const { batch, writer } = await setup()
    const first = writer.send([batch('a')])
    await assert.rejects(writer.commit(), withCode('BUG'))
    await first
    await assert.rejects(writer.send([batch('b'), batch('c')]), withCode('BUG'))
  })
})
