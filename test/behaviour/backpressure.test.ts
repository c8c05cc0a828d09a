import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type Topology, topology } from 'kafka-run-inference'
import type { DriverOptions, TopologyDriver } from '../../src/testing/index.ts'
import { type CountingMetrics, countingMetrics } from '../support/counting-metrics.ts'
import { onDriver } from '../support/on-driver.ts'

const ROW_CAP = 600
const BYTE_CAP = 256 * 1024
/** Records of one batch, and so of one fetch: the memory broker gives whole batches, one at least. */
const BATCH = 50
const PRODUCE_MS = 2_000

interface Load {
  readonly partitions: number
  readonly batches: number
  readonly text: string
}

/** Writes everything at once, to a broker that takes its time for what comes back. */
async function underLoad(
  graph: Topology,
  { partitions, batches, text }: Load,
  body: (driver: TopologyDriver, metrics: CountingMetrics) => Promise<void>,
  settings: DriverOptions['settings'] = {},
): Promise<void> {
  const metrics = countingMetrics()
  const limits = { maxInFlightRows: ROW_CAP, maxInFlightBytes: BYTE_CAP, maxBytesPerPartition: 1 }
  await onDriver(
    graph,
    async driver => {
      // Nothing is read before all of it is there, and then everything that is written is slow.
      driver.broker.delay('fetch', 1_000_000)
      for (let batch = 0; batch < batches; batch++) {
        const records = Array.from({ length: partitions * BATCH }, (_, i) => ({
          value: `${text}${batch}`,
          partition: i % partitions,
        }))
        await driver.pipe('in', records)
      }
      driver.broker.delay('fetch', 0)
      driver.broker.delay('produce', PRODUCE_MS)
      await driver.advance(1_000_000)
      await body(driver, metrics)
    },
    { partitions, metrics, settings: { ...limits, ...settings } },
  )
}

const through = (make: (text: string) => string) =>
  topology('t', [from('in', json<string>()).map(make).to('out', json<string>())])

async function all(driver: TopologyDriver, count: number): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    const offsets = await driver.port.admin.offsets('out')
    if (offsets.reduce((sum, { end }) => sum + end, 0) >= count) return
    await driver.advance(PRODUCE_MS)
  }
  assert.fail('not all came')
}

describe('an output broker that takes its time', () => {
  for (const partitions of [2, 32]) {
    it(`I5: ${partitions} partitions: rows stay below the cap, but for one fetch block of each partition`, async () => {
      const load = { partitions, batches: 20, text: 'x' }
      await underLoad(
        through(text => text),
        load,
        async (driver, metrics) => {
          await all(driver, partitions * 20 * BATCH)
          await driver.advance(10_000)
          assert.ok(metrics.mostInFlight <= ROW_CAP + partitions * BATCH, `${metrics.mostInFlight} rows`)
          assert.deepEqual([metrics.inFlightNow, metrics.bytesInFlightNow], [0, 0], 'all credits have come back')
        },
      )
    })
  }

  it('I5: large records: bytes stay below the cap, but for one fetch block of each partition', async () => {
    const load = { partitions: 2, batches: 20, text: 'x'.repeat(2_000) }
    await underLoad(
      through(text => text),
      load,
      async (driver, metrics) => {
        await all(driver, 2 * 20 * BATCH)
        await driver.advance(10_000)
        const block = 2 * BATCH * 2_200
        assert.ok(metrics.mostBytesInFlight <= BYTE_CAP + 2 * block, `${metrics.mostBytesInFlight} bytes`)
        assert.deepEqual([metrics.inFlightNow, metrics.bytesInFlightNow], [0, 0])
      },
    )
  })

  it('I5: outputs that are a hundred times their records count as what they are', async () => {
    const load = { partitions: 2, batches: 40, text: 'x' }
    const large = through(text => text.padEnd(2_000, '-'))
    await underLoad(large, load, async (driver, metrics) => {
      await all(driver, 2 * 40 * BATCH)
      await driver.advance(10_000)
      assert.ok(metrics.mostBytesInFlight <= BYTE_CAP + 2 * BATCH * 2_200, `${metrics.mostBytesInFlight} bytes`)
      // What bounds the rows here is their outputs.
      assert.ok(metrics.mostInFlight <= (BYTE_CAP / 2_000) * 1.2 + 2 * BATCH, `${metrics.mostInFlight} rows`)
      assert.deepEqual([metrics.inFlightNow, metrics.bytesInFlightNow], [0, 0])
    })
  })

  it('I5: elements of a flatMap take credits, and give them back', async () => {
    const load = { partitions: 2, batches: 20, text: 'x' }
    const fan = topology('t', [
      from('in', json<string>())
        .flatMap(text => Array.from({ length: 10 }, () => text), { maxFanOut: 10 })
        .to('out', json<string>()),
    ])
    await underLoad(fan, load, async (driver, metrics) => {
      await all(driver, 2 * 20 * BATCH * 10)
      await driver.advance(10_000)
      assert.ok(metrics.mostInFlight <= ROW_CAP + 2 * BATCH * 11, `${metrics.mostInFlight} rows and elements`)
      assert.deepEqual([metrics.inFlightNow, metrics.bytesInFlightNow], [0, 0])
    })
  })

  it('I5: a record that is larger than all caps comes alone, and comes through', async () => {
    const load = { partitions: 2, batches: 3, text: 'x'.repeat(8_000) }
    const settings = { maxInFlightBytes: 1_024 }
    const count = 2 * 3 * BATCH
    await underLoad(
      through(text => text),
      load,
      async (driver, metrics) => {
        await all(driver, count)
        await driver.advance(10_000)
        assert.ok(metrics.mostInFlight <= 2 * BATCH, `${metrics.mostInFlight} rows: one block of each partition`)
        assert.deepEqual([metrics.inFlightNow, metrics.bytesInFlightNow], [0, 0])
      },
      settings,
    )
  })
})

describe('an output that its topic does not take', () => {
  it('is a dead letter, whether it is seen before it is sent or the broker refuses it; its neighbours are written', async () => {
    const graph = through(text => (text === 'large' ? '-'.repeat(2_000_000) : text))
    await onDriver(graph, async driver => {
      const refused = (bytes: Buffer) => bytes.includes('"b"')
      const accept = driver.broker.refuse(({ topic, bytes }) => topic === 'out' && refused(bytes), 'MESSAGE_TOO_LARGE')
      await driver.pipe(
        'in',
        ['a', 'large', 'b', 'c'].map(value => ({ value })),
      )
      await driver.advance(5_000)
      accept()
      const out = await driver.read('out')
      assert.deepEqual(
        out.map(({ value }) => value),
        ['a', 'c'],
      )
      const letters = await driver.read('t.failed-preprocess')
      assert.deepEqual(letters.map(({ value, headers }) => [String(value), headers['kri-code']]).toSorted(), [
        ['"b"', 'OUTPUT_TOO_LARGE'],
        ['"large"', 'OUTPUT_TOO_LARGE'],
      ])
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [4])
    })
  })
})
