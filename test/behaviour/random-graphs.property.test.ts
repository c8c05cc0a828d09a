import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { topicNames } from '../../src/kafka/topics.ts'
import type { OutputRecord, TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { onFaultyDriver } from '../support/on-driver.ts'
import { isPoison, type RandomGraph, randomGraph } from '../support/random-graphs.ts'

const PARTITIONS = 2
const TOPICS = ['out-0', 'out-1']

const recordsOf = (count: number, from: number) =>
  Array.from({ length: count }, (_, i) => {
    return { key: `k${from + i}`, value: `r${from + i}`, partition: (from + i) % PARTITIONS }
  })

/** `partition/offset value` of what a topic holds. */
const shown = ({ headers, value }: OutputRecord) => `${headers['kri-source']!.slice('in/'.length)} ${value}`

/** What must stand in a topic, partition by partition. */
function wanted({ expected }: RandomGraph, topic: string, count: number): string[] {
  const records = recordsOf(count, 0)
  return Array.from({ length: PARTITIONS }, (_, partition) =>
    records
      .filter(record => record.partition === partition)
      .flatMap(({ value }, offset) =>
        (expected(value).outputs[topic] ?? []).map(text => `${partition}/${offset} ${text}`),
      ),
  ).flat()
}

async function letters(driver: TopologyDriver, graph: RandomGraph): Promise<string[]> {
  const topics = topicNames(graph.topology).filter(topic => topic.includes('.failed-'))
  const found = await Promise.all(topics.map(topic => driver.read(topic)))
  return found.flat().map(({ headers }) => headers['kri-source']!)
}

async function existing(driver: TopologyDriver, graph: RandomGraph, topic: string): Promise<readonly OutputRecord[]> {
  return graph.topology.sinks.some(sink => sink.topic === topic) ? driver.read(topic) : []
}

describe('any graph', () => {
  it('I1, I2, I5, I7: every record ends on every branch exactly once; outputs leave by offset, way and child', async () => {
    await fc.assert(
      fc.asyncProperty(randomGraph, fc.integer({ min: 1, max: 60 }), async (graph, count) => {
        const metrics = countingMetrics()
        await onFaultyDriver(
          graph.topology,
          async (driver, executor) => {
            executor.failRowsWhere(isPoison)
            const first = Math.floor(count / 3)
            await driver.pipe('in', recordsOf(first, 0))
            await driver.advance(20)
            await driver.pipe('in', recordsOf(count - first, first))
            // In steps: models run in real time, and between two timers of one long step there is not always enough of it.
            for (let i = 0; i < 25; i++) await driver.advance(200)
            for (const topic of TOPICS)
              assert.deepEqual((await existing(driver, graph, topic)).map(shown), wanted(graph, topic, count), topic)
            const sum = recordsOf(count, 0).reduce((total, { value }) => total + graph.expected(value).letters, 0)
            assert.equal((await letters(driver, graph)).length, sum, 'dead letters')
            const committed = await driver.port.admin.committed('t', 'in')
            assert.equal(
              committed.reduce((total, offset) => total + Math.max(0, offset), 0),
              count,
            )
            assert.equal(metrics.inFlightNow, 0)
          },
          { partitions: PARTITIONS, lanes: 2, metrics },
        )
      }),
      { numRuns: 150 },
    )
  })

  it('I1, I2, I8: also when partitions are lost on the way; what comes twice comes whole, and in order', async () => {
    const loss = fc.record({ afterMs: fc.constantFrom(0, 10, 60, 400), records: fc.integer({ min: 1, max: 25 }) })
    await fc.assert(
      fc.asyncProperty(randomGraph, fc.array(loss, { minLength: 1, maxLength: 3 }), async (graph, losses) => {
        await onFaultyDriver(
          graph.topology,
          async (driver, executor) => {
            executor.failRowsWhere(isPoison)
            let count = 0
            for (const { afterMs, records } of losses) {
              await driver.pipe('in', recordsOf(records, count))
              count += records
              await driver.advance(afterMs)
              for (const member of driver.broker.members('t')) driver.broker.expireMember('t', member)
            }
            await driver.advance(60_000)
            for (const topic of TOPICS) {
              const found = (await existing(driver, graph, topic)).map(shown)
              assert.deepEqual([...new Set(found)], [...new Set(wanted(graph, topic, count))], topic)
            }
            const failed = new Set(await letters(driver, graph))
            const bad = recordsOf(count, 0).filter(({ value }) => graph.expected(value).letters > 0)
            assert.equal(failed.size, bad.length, 'records with dead letters')
            const committed = await driver.port.admin.committed('t', 'in')
            assert.equal(
              committed.reduce((total, offset) => total + Math.max(0, offset), 0),
              count,
            )
          },
          { partitions: PARTITIONS, lanes: 2 },
        )
      }),
      { numRuns: 60 },
    )
  })
})
