import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import digits from '../../topologies/digits.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { onDriver, onFaultyDriver } from '../support/on-driver.ts'

/** Everything that a run leaves behind: batches, breaker states, and every record of every topic. */
async function trace(seed: number): Promise<string> {
  const metrics = countingMetrics()
  const lines: unknown[] = []
  const topics = ['out', 't.classify.failed-preprocess', 't.classify.failed-inference', 't.classify.failed-postprocess']
  await onFaultyDriver(
    digitTopology({ step: { batch: { maxSize: 32, minSize: 8, maxWaitMs: 25, adaptive: true } } }),
    async (driver, executor) => {
      executor.failRowsWhere(([x]) => (x as Float32Array)[0] === 9)
      for (let round = 0; round < 12; round++) {
        const records = Array.from({ length: 30 }, (_, i) => ({
          key: `${round}-${i}`,
          value: ['pre', 'post', 'short'][(round * 30 + i) % 40] ?? String((round + i) % 16),
          partition: i % 3,
        }))
        await driver.pipe('in', records)
        if (round === 3) driver.broker.down()
        if (round === 4) executor.failControl(true)
        if (round === 3) await driver.advance(3_000)
        driver.broker.up()
        if (round === 6) executor.failControl(false)
        if (round === 8) driver.broker.forceRebalance('t')
        await driver.advance(40 * (round % 4))
      }
      await driver.advance(30_000)
      for (const topic of topics) lines.push(topic, await driver.read(topic))
    },
    { seed, metrics, partitions: 3, lanes: 2 },
  )
  lines.push(metrics.batches, metrics.breaker, metrics.letters)
  // Stacks name positions in files, which are no part of what a run does.
  return JSON.stringify(lines, (name, value) => (name === 'kri-error-stack' ? undefined : value))
}

describe('the driver', () => {
  it('gives one trace for one seed, byte for byte, through faults and rebalances', async () => {
    const first = await trace(7)
    assert.equal(await trace(7), first)
    assert.ok(first.length > 10_000)
  })

  it('gives one trace with schemas, too: files are read before the start', async () => {
    const pixels = new Array(64).fill(3)
    const run = async () => {
      const lines: unknown[] = []
      await onDriver(
        digits,
        async driver => {
          await driver.pipe('digits.images', [{ key: 'a', value: { id: 'a', pixels } }])
          await driver.advance(500)
          lines.push(driver.clock.now(), await driver.read('digits.predictions'))
        },
        { seed: 3, partitions: 2 },
      )
      return JSON.stringify(lines)
    }
    const first = await run()
    for (let again = 0; again < 3; again++) assert.equal(await run(), first)
  })
})
