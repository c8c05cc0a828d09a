// What is read of a log that holds other people's transactions, on a real broker: from every offset, to the very end.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { batchOf, Harness } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()

describe('a log with transactions, on a real broker', { skip }, () => {
  const features = {
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({ brokers, clientId: 'reads', logger: silentLogger, clock: systemClock, random: Math.random }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }
  /** The key of a user's record that looks like that of an abort marker. */
  const ZERO_KEY = Buffer.alloc(4)

  async function writers(h: Harness, count: number) {
    const all = Array.from({ length: count }, () => h.transactional(h.name('id')))
    for (const writer of all) await writer.fence()
    return all
  }
  const one = (topic: string, value: string, key: Buffer | null = null) => [
    batchOf(topic, 0, [{ key, value }], Date.now()),
  ]

  it('overlapping aborted transactions and a key of zeros leak nothing, wherever a fetch begins', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('overlap')
    const [a, b] = (await writers(h, 2)) as [
      Awaited<ReturnType<typeof writers>>[0],
      Awaited<ReturnType<typeof writers>>[0],
    ]
    await a.send(one(topic, 'a aborted', ZERO_KEY))
    await b.send(one(topic, 'b aborted'))
    await h.write(topic, 0, [{ value: 'plain 1' }])
    await a.send(one(topic, 'a aborted too'))
    await b.abort()
    await a.send(one(topic, 'a aborted again', ZERO_KEY))
    await a.abort()
    await b.send(one(topic, 'b committed', ZERO_KEY))
    await h.write(topic, 0, [{ value: 'plain 2' }])
    await b.commit()
    await a.send(one(topic, 'a aborted last'))
    await a.abort()
    const [{ end } = { end: 0 }] = await h.port.admin.offsets(topic)
    const whole = await h.scan(topic, 0)
    assert.deepEqual(
      whole.map(({ value }) => String(value)),
      ['plain 1', 'b committed', 'plain 2'],
    )
    for (let from = 0; from < end; from++) {
      const read = await h.scan(topic, 0, from)
      assert.deepEqual(
        read,
        whole.filter(({ offset }) => offset >= from),
        `from offset ${from}`,
      )
    }
  })

  it('a scan ends where nothing but markers, or aborted records, or nothing at all stands at the end', async t => {
    const h = await Harness.open(features, t)
    const [writer] = await writers(h, 1)
    const tails: [what: string, write: (topic: string) => Promise<unknown>, values: readonly string[]][] = [
      ['nothing', async () => {}, []],
      [
        'a commit marker',
        async topic => {
          await writer!.send(one(topic, 'kept'))
          await writer!.commit()
        },
        ['kept'],
      ],
      [
        'an aborted transaction and its marker',
        async topic => {
          await h.write(topic, 0, [{ value: 'kept' }])
          await writer!.send(one(topic, 'dropped'))
          await writer!.abort()
        },
        ['kept'],
      ],
      [
        'markers alone',
        async topic => {
          for (let i = 0; i < 3; i++) {
            await writer!.send(one(topic, 'dropped'))
            await writer!.abort()
          }
        },
        [],
      ],
    ]
    for (const [what, write, values] of tails) {
      const topic = await h.topic('tail')
      await write(topic)
      const read = await h.scan(topic, 0)
      assert.deepEqual(
        read.map(({ value }) => String(value)),
        values,
        what,
      )
    }
  })
})
