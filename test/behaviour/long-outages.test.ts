import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digitTopology } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const names = (count: number, prefix = 'k') => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const keys = (count: number, prefix = 'k') => names(count, prefix).map(key => ({ key, value: '5' }))

describe('an outage of the broker', () => {
  for (const processingGuarantee of ['at_least_once', 'exactly_once'] as const) {
    it(`of 60 s, longer than the session, is sat out without an operator (${processingGuarantee}): nothing lost, no dead letter`, async () => {
      await onDriver(
        digitTopology(),
        async driver => {
          await feed(driver, keys(100, 'first'))
          await driver.pipe('in', keys(100))
          driver.broker.down()
          await driver.advance(60_000)
          const { live, state, problems } = driver.running.health()
          assert.equal(live, true, 'nobody is to restart it')
          assert.notEqual(state, 'joined')
          assert.match(JSON.stringify(problems), /BROKER_UNAVAILABLE/)
          driver.broker.up()
          // The broker in memory gives the member that was here before its session once more, before others have its place.
          await driver.advance(60_000)
          assert.deepEqual(driver.running.health().problems, {})
          assert.equal(driver.running.health().ready, true)
          await feed(driver, keys(20, 'later'))
          const read = (await driver.read('out')).map(({ key }) => key)
          assert.deepEqual(
            [...new Set(read)],
            [...names(100, 'first'), ...names(100), ...names(20, 'later')],
            'all, in order',
          )
          if (processingGuarantee === 'exactly_once') assert.equal(read.length, 220, 'and none twice')
          assert.deepEqual(await driver.port.admin.committed('t', 'in'), [220])
          assert.deepEqual(driver.failures, [])
        },
        { settings: { maxFetchWaitMs: 10, processingGuarantee } },
      )
    })
  }
})
