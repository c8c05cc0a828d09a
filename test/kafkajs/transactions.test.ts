import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { CoordinatorWatch } from '../../src/kafkajs/coordinator-watch.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { TopicSightings } from '../../src/kafkajs/topic-sightings.ts'
import { TransactionCoordinator } from '../../src/kafkajs/transaction-coordinator.ts'
import { TransactionProduce } from '../../src/kafkajs/transaction-produce.ts'
import { Troubles } from '../../src/kafkajs/troubles.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness, withCode } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { copyRecords } from '../support/copy-records.ts'
import { eventually } from '../support/eventually.ts'
import { openProxy } from '../support/kafka-proxy.ts'

const { brokers, prefix, skip } = await testCluster()
const shared = { clientId: 'transactions', logger: silentLogger, clock: systemClock, random: Math.random }

describe('transactions on a real broker', { skip }, () => {
  const features = {
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () => createKafkaPort({ ...shared, brokers }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }
  const valuesOf = async (h: Harness, topic: string, partition = 0) =>
    (await h.scan(topic, partition)).map(({ value }) => String(value))

  /** A client of its own behind a proxy, and what a transaction needs. */
  async function proxied(t: TestContext) {
    const h = await Harness.open(features, t)
    const proxy = await openProxy(brokers[0]!)
    const port = createKafkaPort({ ...shared, brokers: [proxy.address] })
    t.after(async () => {
      await port.close()
      await proxy.close()
    })
    const [topic, group, id] = [await h.topic('out'), h.name('group'), h.name('id')]
    const writer = port.transactionalWriter({ transactionalId: id, timeoutMs: 10_000 })
    await writer.fence()
    const transaction = async (from: number) => {
      await writer.send([h.numbered(topic, 0, from, 1)])
      await writer.sendOffsets(group, [{ topic, partition: 0, offset: from + 1 }])
    }
    const committed = async () => (await h.port.admin.committed(group, topic))[0]!
    return { h, proxy, port, topic, group, id, writer, transaction, committed }
  }

  it('T1 refuses every request of a writer whose id was taken over, and none of its records is seen', async t => {
    const h = await Harness.open(features, t)
    const [topic, group, id] = [await h.topic('zombie'), h.name('group'), h.name('id')]
    const offsets = [{ topic, partition: 0, offset: 9 }]
    // Each dies in another request: what came before it was sent while it still had the id.
    const ends: ((writer: ReturnType<typeof h.transactional>) => Promise<unknown>)[] = [
      writer => writer.send([h.numbered(topic, 0, 100, 1)]),
      writer => writer.sendOffsets(group, offsets),
      writer => writer.commit(),
      writer => writer.abort(),
    ]
    let heir = h.transactional(id)
    for (const end of ends) {
      const zombie = heir
      await zombie.fence()
      await zombie.send([h.numbered(topic, 0, 100, 2)])
      await zombie.sendOffsets(group, offsets)
      heir = h.transactional(id)
      await heir.fence()
      await assert.rejects(end(zombie), withCode('TRANSACTION_FENCED'))
    }
    assert.deepEqual(await h.port.admin.committed(group, topic), [-1])
    await heir.send([h.numbered(topic, 0, 0, 1)])
    await heir.commit()
    await eventually('the heir is seen', async () => (await valuesOf(h, topic)).join() === '0:0')
  })

  it('a fence makes offsets final that were pending: committed where the commit had begun, dropped where not', async t => {
    const { h, proxy, topic, id, writer, transaction, committed } = await proxied(t)
    const heir = h.transactional(id)
    await transaction(0)
    assert.equal(await committed(), -1)
    await heir.fence()
    assert.equal(await committed(), -1)
    assert.deepEqual(await valuesOf(h, topic), [])
    await writer.fence()
    await transaction(0)
    // The end is decided when its answer is on its way, and being written out to the logs.
    proxy.lose('EndTxn', 'answer')
    await assert.rejects(writer.commit(), withCode('TRANSACTION_LOST'))
    await heir.fence()
    assert.equal(await committed(), 1)
    assert.deepEqual(await valuesOf(h, topic), ['0:0'])
  })

  it('T4 takes a transaction for lost when the answer to its end is lost; a fence then shows what became of it', async t => {
    const { h, proxy, topic, writer, transaction, committed } = await proxied(t)
    await transaction(0)
    proxy.lose('EndTxn', 'answer')
    await assert.rejects(writer.commit(), withCode('TRANSACTION_LOST'))
    await writer.fence()
    assert.equal(await committed(), 1, 'it was committed')
    assert.deepEqual(await valuesOf(h, topic), ['0:0'])

    await transaction(1)
    proxy.lose('EndTxn', 'request')
    await assert.rejects(writer.commit(), withCode('TRANSACTION_LOST'))
    await writer.fence()
    assert.equal(await committed(), 1, 'it was not committed')
    assert.deepEqual(await valuesOf(h, topic), ['0:0'])

    await transaction(1)
    await writer.commit()
    await eventually('it goes on', async () => (await committed()) === 2)
    assert.deepEqual(await valuesOf(h, topic), ['0:0', '0:1'])
  })

  it('T2 T4 writes once what it sends again when connections break in a transaction', async t => {
    const { h, proxy, topic, writer, group, committed } = await proxied(t)
    let sent = 0
    for (const api of ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn']) {
      for (const loss of ['request', 'answer'] as const) {
        proxy.lose(api, loss)
        await writer.send([h.numbered(topic, 0, sent, 1)])
        sent++
        await writer.sendOffsets(group, [{ topic, partition: 0, offset: sent }])
        await writer.commit()
      }
    }
    await eventually('all is committed', async () => (await committed()) === sent)
    assert.deepEqual(
      await valuesOf(h, topic),
      Array.from({ length: sent }, (_, i) => `0:${i}`),
    )
  })

  it('T6 goes from one transaction to the next in milliseconds, with five requests and few more', async t => {
    const { proxy, transaction, writer } = await proxied(t)
    await transaction(0)
    await writer.commit()
    proxy.requests.clear()
    const began = performance.now()
    const transactions = 50
    for (let i = 0; i < transactions; i++) {
      await transaction(i + 1)
      await writer.commit()
    }
    const perSecond = (transactions * 1_000) / (performance.now() - began)
    const counts = Object.fromEntries(proxy.requests)
    t.diagnostic(`${perSecond.toFixed(0)} transactions/s, ${proxy.sockets()} sockets, ${JSON.stringify(counts)}`)
    for (const api of ['Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']) {
      assert.equal(counts[api], transactions, api)
    }
    // The first request of a transaction is the one that may have to wait; kafkajs's own wait is 300 ms.
    const waits = counts.AddPartitionsToTxn! - transactions
    assert.ok(waits <= 25 * transactions, `${waits} waits of 4 ms`)
    assert.equal(counts.FindCoordinator, undefined, 'coordinators are kept')
  })

  it('many writers share a few connections, which are closed with the last of them', async t => {
    const { h, proxy, port, topic, writer } = await proxied(t)
    const before = proxy.sockets()
    const writers = Array.from({ length: 24 }, () =>
      port.transactionalWriter({ transactionalId: h.name('id'), timeoutMs: 10_000 }),
    )
    await Promise.all(writers.map(each => each.fence()))
    await Promise.all(writers.map((each, i) => each.send([h.numbered(topic, 0, i, 1)])))
    await Promise.all(writers.map(each => each.commit()))
    assert.equal(proxy.sockets() - before, 3, 'four for writers, of which one was there')
    for (const each of [...writers, writer]) await each.close()
    await eventually('they are closed', () => proxy.sockets() === before - 1)
    await eventually('all is seen', async () => (await valuesOf(h, topic)).length === 24)
  })

  it('T2 goes on from 0 behind sequence 2^31 − 1 inside a transaction, which the broker takes', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('wrap')
    const settings = { connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000, logger: kafkajsLogger(silentLogger) }
    const connection = { clientId: 'wrap', ssl: undefined, sasl: undefined, ...settings }
    const cluster = new Cluster({ ...shared, brokers, metadataMaxAgeMs: 30_000, connection })
    t.after(() => cluster.close())
    cluster.track([topic])
    await cluster.refresh()
    const id = h.name('id')
    const context = {
      ...{ ...shared, cluster, purpose: 'wrap', sightings: new TopicSightings() },
      troubles: new Troubles(silentLogger, () => {}),
      watch: new CoordinatorWatch(systemClock, silentLogger),
    }
    const coordinator = new TransactionCoordinator(context, id)
    const produce = new TransactionProduce(context, id)
    const patience = { deadlineMs: systemClock.now() + 10_000, signal: new AbortController().signal }
    const identity = await coordinator.initProducerId(10_000, patience)
    // As if 2^31 − 2 records had been written: a broker that knows nothing of this producer takes any first sequence.
    identity.advance({ topic, partition: 0, count: 2 ** 31 - 2, bytes: Buffer.alloc(0) })
    for (const count of [4, 3]) {
      await coordinator.addPartitions(identity, [{ topic, partition: 0 }], patience)
      const [result] = await produce.send([h.numbered(topic, 0, 0, count)], identity, patience)
      assert.equal(result!.outcome, 'acknowledged')
      await coordinator.end(identity, 'commit', patience)
    }
    assert.equal(identity.sequence(`${topic}/0`), 5)
    await eventually('all is seen', async () => (await valuesOf(h, topic)).length === 7)
  })

  for (const stopAt of ['sendOffsets', 'commit', 'ending']) {
    it(`a process that is killed at ${stopAt} leaves every record once to who goes on`, async t => {
      const h = await Harness.open(features, t)
      const [source, target] = [await h.topic('source'), await h.topic('target', 2)]
      const names = { source, target, group: h.name('group'), transactionalId: h.name('id') }
      await h.writeNumbered(source, 0, 0, 20)
      const script = fileURLToPath(new URL('../support/copying-writer.ts', import.meta.url))
      const { group, transactionalId } = names
      const args = [brokers.join(), source, target, group, transactionalId, stopAt]
      const child = spawn(process.execPath, ['--conditions=kri-source', script, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const exited = once(child, 'exit')
      t.after(async () => {
        child.kill('SIGKILL')
        await exited
      })
      const lines: string[] = []
      createInterface(child.stdout).on('line', line => lines.push(line))
      await eventually(`the child is at ${stopAt}`, () => lines.includes(`${stopAt} 2`))
      child.kill('SIGKILL')
      await exited
      await copyRecords(h.port, names, async () => {})
      const expected = Array.from({ length: 20 }, (_, i) => `0:${i}`)
      for (const partition of [0, 1]) {
        await eventually('the last is seen', async () => (await valuesOf(h, target, partition)).includes('0:19'))
        assert.deepEqual(await valuesOf(h, target, partition), expected)
      }
      assert.deepEqual(await h.port.admin.committed(group, source), [20])
    })
  }
})
