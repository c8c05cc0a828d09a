import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createExecutor } from '../../src/models/executors.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { loadTopology } from '../../src/topology-module.ts'
import tickets, { type Urgency } from '../../topologies/tickets.ts'
import { eventually } from '../support/eventually.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const WRITTEN: readonly (readonly [text: string, isUrgent: boolean])[] = [
  ['Production is down, customers cannot login!', true],
  ['Thanks! I was just wondering how to read the invoice.', false],
  ['', false],
  ['OUTAGE: data lost', true],
]
const records = WRITTEN.map(([text], i) => ({ key: `t${i}`, value: { text } }))

const check = (outputs: readonly { key: unknown; value: unknown }[]) => {
  assert.deepEqual(
    outputs.map(({ key }) => key),
    records.map(({ key }) => key),
  )
  for (const [i, { value }] of outputs.entries()) {
    const { isUrgent, probability, modelId } = value as Urgency
    assert.equal(isUrgent, WRITTEN[i]![1], `${WRITTEN[i]![0]}: ${probability}`)
    assert.equal(modelId, 'models/urgency-words.json')
  }
}

suite('the tickets topology, whose handler is its own', () => {
  test('on the driver', () =>
    onDriver(tickets, async driver => {
      await feed(driver, records, 'tickets.opened')
      check(await driver.read('tickets.urgency'))
    }))

  test('in two threads, which import it again', async () => {
    const loaded = await loadTopology('topologies/tickets.ts')
    const models = loaded.steps.flatMap(({ handler }) => handler.cohorts.map(({ model }) => model))
    const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
    const executor = createExecutor({ models, lanes: 2, maxBatchRows: 8 }, parts)
    const inThreads = async (driver: Parameters<Parameters<typeof onDriver>[1]>[0]) => {
      await feed(driver, records, 'tickets.opened')
      // Threads are on a clock of their own.
      await eventually('all tickets are judged', async () => {
        await driver.advance(50)
        return (await driver.read('tickets.urgency')).length === records.length
      })
      check(await driver.read('tickets.urgency'))
    }
    await onDriver(loaded, inThreads, { wrapExecutor: () => executor })
    await executor.close()
  })
})
