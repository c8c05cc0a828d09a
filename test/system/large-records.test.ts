// Records about as large as topics take them, on a real broker, with fetches that are far smaller.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { bytes, from, topology } from 'kafka-run-inference'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { applyPlan, planTopics, topicNames } from '../../src/kafka/topics.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { batchOf, type ReadRecord, recordsOf } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { eventually } from '../support/eventually.ts'

const MIB = 1024 * 1024
const SOURCE_BYTES = 9 * MIB
const FETCH_BYTES = 64 * 1024
/** The first byte of a record that is to go on as it is; of others ten bytes go on. */
const WHOLE = 1

const cluster = await testCluster()

describe('large records on a real broker', { skip: cluster.skip }, () => {
  let port: KafkaPort
  before(() => {
    const options = { brokers: cluster.brokers, clientId: 'large', logger: silentLogger, clock: systemClock }
    port = createKafkaPort({ ...options, random: Math.random })
  })
  after(() => port.close())

  async function readAll(topic: string): Promise<ReadRecord[]> {
    const records: ReadRecord[] = []
    for await (const block of port.scan([{ topic, partition: 0, from: 'earliest', to: 'end' }]))
      records.push(...recordsOf(block))
    return records
  }

  it('of 8 MiB are read, and written where they fit; an output that does not fit is a dead letter, and the next ones go on', async t => {
    const name = `${cluster.prefix}large`
    const [input, output] = [`${name}.in`, `${name}.out`]
    const graph = topology(name, [
      from(input, bytes())
        .map(value => (value[0] === WHOLE ? value : value.subarray(0, 10)))
        .to(output, bytes()),
    ])
    const source = { name: input, partitions: 1, replicationFactor: 1 }
    await port.admin.createTopics([{ ...source, configs: { 'max.message.bytes': String(SOURCE_BYTES) } }])
    const existing = await port.admin.describeTopics(topicNames(graph))
    await applyPlan(
      planTopics(graph, existing, { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }),
      port.admin,
    )
    const values = [
      Buffer.alloc(8 * MIB),
      Buffer.alloc(8 * MIB, WHOLE),
      Buffer.alloc(MIB - 4_096, WHOLE),
      Buffer.alloc(MIB + 4_096, WHOLE),
      Buffer.alloc(100, WHOLE),
    ]
    const writer = port.writer()
    for (const value of values) await writer.send([batchOf(input, 0, [{ value }], Date.now())])
    await writer.close()

    const metrics = countingMetrics()
    const running = startTopology(graph, {
      ...{
        port,
        registry: createMemoryRegistry(),
        readSchema: async () => '',
        clock: systemClock,
        random: Math.random,
      },
      executor: createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger: silentLogger, clock: systemClock }),
      settings: { ...DEFAULT_RUN_SETTINGS, maxBytesPerPartition: FETCH_BYTES, maxInFlightBytes: MIB },
      ...{ logger: silentLogger, metrics },
    })
    t.after(() => running.stop().catch(() => {}))
    await running.whenReady()
    await eventually(
      'all is committed',
      async () => (await port.admin.committed(name, input))[0] === values.length,
      60_000,
    )
    assert.deepEqual(
      (await readAll(output)).map(({ value }) => value!.length),
      [10, MIB - 4_096, 100],
    )
    const letters = await readAll(`${name}.failed-preprocess`)
    const codes = letters.map(({ headers }) => headers.find(([header]) => header === 'kri-code')?.[1]?.toString())
    assert.deepEqual(codes, ['OUTPUT_TOO_LARGE', 'OUTPUT_TOO_LARGE'])
    assert.ok(letters[0]!.value!.equals(values[1]!) && letters[1]!.value!.equals(values[3]!), 'the whole records')
    // One record at a time: each is above the cap by itself.
    assert.ok(metrics.mostInFlight <= 1, `${metrics.mostInFlight} at once`)
    assert.deepEqual(running.health().problems, {})
  })
})
