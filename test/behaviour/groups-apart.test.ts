// Parts behind a `through` have groups of their own: what befalls one of them is no concern of the others.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { strings } from '../support/digit-topology.ts'
import { onDriver, passed, secondInstance } from '../support/on-driver.ts'

const twoParts = () =>
  topology('t', [
    from('in', strings)
      .map(element => element)
      .through('between', strings)
      .map(element => element)
      .to('out', strings),
  ])

describe('a group that joins for long', () => {
  it('keeps no other from committing, at least once', async () => {
    const settings = { drainBudgetMs: 1, rebalanceTimeoutMs: 60_000 }
    await onDriver(
      twoParts(),
      async driver => {
        const { broker, port } = driver
        const other = broker.connect()
        const second = await secondInstance(driver, twoParts(), settings, undefined, { port: other })
        await driver.advance(2_000)
        const feed = async (count: number) => {
          for (let i = 0; i < count; i++) {
            const pairs = [0, 1].map(partition => ({ key: `k${i}`, value: '5', partition }))
            await driver.pipe('in', pairs)
            await driver.advance(100)
          }
        }
        // What is being sent when the rebalance is noticed is acknowledged behind the budget: its commit waits for the join.
        broker.delay('produce', 900)
        await feed(20)
        const mend = broker.cut(other, ['join'])
        broker.forceRebalance('t.between')
        await feed(10)
        await driver.advance(1_000)
        assert.equal(driver.running.health().groups['t.between'], 'rebalancing', 'it waits for the other instance')
        assert.equal(driver.running.health().groups.t, 'joined')
        assert.deepEqual(await port.admin.committed('t', 'in'), [30, 30], 'what the first part has done is committed')
        mend()
        await driver.advance(90_000)
        await passed(driver, second.stop())
      },
      { partitions: 2, settings },
    )
  })
})

describe('a member that fails while another one joins', () => {
  it('says why the start failed, not that the other one was stopped', async () => {
    await onDriver(twoParts(), async driver => {
      const other = driver.broker.connect()
      const port: KafkaPort = {
        ...other,
        member(options, events) {
          const joined = Promise.withResolvers<void>()
          joined.promise.catch(() => {})
          const failsAtOnce = options.groupId === 't'
          return {
            ...other.member(options, events),
            start() {
              if (!failsAtOnce) return joined.promise
              events.onFatal(new RunInferenceError('AUTHORISATION', 'it may not write'))
              return Promise.resolve()
            },
            stop: async () => joined.reject(new RunInferenceError('CLOSED', 'it was stopped before it had joined')),
          }
        },
      }
      const start = secondInstance(driver, twoParts(), {}, undefined, { port })
      await assert.rejects(start, { code: 'AUTHORISATION' })
    })
  })
})
