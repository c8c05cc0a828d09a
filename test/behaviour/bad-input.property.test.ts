import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { avro, float32, from, int64, type KV, keyed, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import type { Digit } from '../../schemas/types.ts'
import type { SourceOptions } from '../../src/graph.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { createTopologyDriver, type OutputRecord, type TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'

const PARTITIONS = 2
const SOURCE_MAX_BYTES = 1_048_588

const classifier = keyed(
  onnx({ model: 'models/digits-mlp-v1.onnx', inputs: { x: float32(64) }, outputs: { label: int64() } }),
)
  .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
  .withPostprocess(({ key, value }) => kv(key, `${key} ${Number(value.inference.label[0])}`))

/** Two branches: labels, and copies of ids less those that a filter drops. */
function graph(tombstones: NonNullable<SourceOptions['tombstones']>) {
  const digits = from('in', { key: utf8(), value: avro<Digit>('digit') }, { tombstones })
  return topology('t', [
    digits.runInference('classify', classifier).to('labels', { key: utf8(), value: utf8() }),
    digits
      .filter(({ value }) => value.id.length % 2 === 0)
      .to('ids', avro<KV<string, Digit>['value']>('digit') as never),
  ])
}

interface Given {
  readonly key: Buffer | null
  readonly value: Buffer | null | Digit
  readonly headers: readonly Header[]
  readonly timestamp: number
  readonly partition: number
}

const NOW = Date.UTC(2026, 0, 1)
const buffer = (maxLength: number) => fc.uint8Array({ maxLength }).map(bytes => Buffer.from(bytes))
const digit: fc.Arbitrary<Digit> = fc.record({
  id: fc.string({ maxLength: 8 }),
  pixels: fc.oneof(
    { weight: 3, arbitrary: fc.array(fc.nat({ max: 16 }), { minLength: 64, maxLength: 64 }) },
    { weight: 1, arbitrary: fc.array(fc.nat({ max: 16 }), { maxLength: 70 }) },
  ),
})
const value: fc.Arbitrary<Given['value']> = fc.oneof(
  { weight: 6, arbitrary: digit },
  { weight: 2, arbitrary: buffer(40) },
  { weight: 1, arbitrary: fc.constant(null) },
  // The frame of a codec with anything behind it, and with ids that no registry knows.
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat({ max: 3 }), buffer(30))
      .map(([id, rest]) => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), rest])),
  },
  { weight: 1, arbitrary: buffer(9).map(rest => Buffer.concat([Buffer.from([0]), rest])) },
)
const header: fc.Arbitrary<Header> = fc.tuple(
  fc.oneof(
    fc.constantFrom('', 'same', 'kri-source', 'kri-original-offset', 'traceparent', 'ключ'),
    fc.string({ maxLength: 5 }),
  ),
  fc.option(buffer(10), { nil: null }),
)
const record: fc.Arbitrary<Given> = fc.record({
  key: fc.oneof(
    { weight: 5, arbitrary: fc.string({ maxLength: 8 }).map(text => Buffer.from(text)) },
    { weight: 1, arbitrary: buffer(8) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  value,
  headers: fc.array(header, { maxLength: 4 }),
  timestamp: fc.constantFrom(0, 1, NOW, NOW - 86_400_000, NOW + 3_500_000),
  partition: fc.nat({ max: PARTITIONS - 1 }),
})

describe('bad input', () => {
  it('of any kind: on each branch outputs, dead letters and counted drops are the inputs, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(record, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('dead-letter' as const, 'forward' as const, 'drop' as const),
        async (batches, tombstones) => {
          const metrics = countingMetrics()
          const driver = await createTopologyDriver(graph(tombstones), { partitions: PARTITIONS, metrics })
          try {
            for (const batch of batches) await driver.pipe('in', batch)
            await driver.advance(1_000)
            await check(driver, batches.flat(), metrics.drops)
          } finally {
            await driver.stop()
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('near the size limit: what the topics take arrives whole, what they do not is a dead letter', async () => {
    const sizes = [-200, -120, -60, -20, -2, -1, 0].map(less => SOURCE_MAX_BYTES + less - 90)
    const copy = topology('t', [from('in', utf8()).to('out', utf8())])
    const driver = await createTopologyDriver(copy)
    try {
      for (const size of sizes) await driver.pipe('in', [{ value: Buffer.alloc(size, 'a') }])
      await driver.advance(1_000)
      const out = await driver.read('out')
      const letters = await driver.read('t.failed-preprocess')
      assert.equal(out.length + letters.length, sizes.length)
      assert.ok(letters.length > 0)
      assert.ok(letters.every(({ headers, bytes }) => headers['kri-code'] === 'OUTPUT_TOO_LARGE' && bytes !== null))
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [sizes.length])
    } finally {
      await driver.stop()
    }
  })
})

async function check(
  driver: TopologyDriver,
  inputs: readonly Given[],
  drops: Readonly<Record<string, number>>,
): Promise<void> {
  const committed = await driver.port.admin.committed('t', 'in')
  assert.equal(
    committed.reduce((sum, offset) => sum + offset, 0),
    inputs.length,
    'everything is committed',
  )
  const topics = [
    'labels',
    'ids',
    ...['preprocess', 'inference', 'postprocess'].map(stage => `t.classify.failed-${stage}`),
  ]
  const read = new Map<string, readonly OutputRecord[]>()
  for (const topic of topics) read.set(topic, await driver.read(topic))
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
  const sourceDrops = drops['from in'] ?? 0
  // A source's failure or drop ends both branches at once; the others end one.
  const ends = new Map<string, number>()
  for (const [topic, records] of read) {
    assertOrder(topic, records)
    for (const { headers } of records) {
      const weight = headers['kri-node'] === 'from in' ? 2 : 1
      ends.set(headers['kri-source']!, (ends.get(headers['kri-source']!) ?? 0) + weight)
    }
  }
  const ended = [...ends.values()].reduce((sum, count) => sum + count, 0)
  assert.equal(ended + dropped + sourceDrops, 2 * inputs.length, 'outputs + dead letters + drops = inputs')
  assert.ok(
    [...ends.values()].every(count => count <= 2),
    'no branch ends twice',
  )
  assertByteForByte(inputs, read)
}

function assertOrder(topic: string, records: readonly OutputRecord[]): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const offsets = records
      .map(({ headers }) => headers['kri-source']!.split('/'))
      .filter(([, from]) => Number(from) === partition)
      .map(([, , offset]) => Number(offset))
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => a - b),
      `I2: ${topic}`,
    )
  }
}

/** Outputs carry key, headers and time of their record; dead letters its value too. */
function assertByteForByte(inputs: readonly Given[], read: ReadonlyMap<string, readonly OutputRecord[]>): void {
  const byPartition = Array.from({ length: PARTITIONS }, (_, partition) =>
    inputs.filter(input => input.partition === partition),
  )
  for (const [topic, records] of read) {
    for (const { key, bytes, headers, timestamp } of records) {
      const [, partition, offset] = headers['kri-source']!.split('/').map(Number)
      const input = byPartition[partition!]![offset!]!
      const isLetter = topic.startsWith('t.')
      if (topic === 'labels') assert.equal(key, input.key?.toString())
      else assert.deepEqual(key, input.key)
      const own = new Map(input.headers.filter(([name]) => !name.startsWith('kri-')))
      for (const [name, data] of own) assert.equal(headers[name], data?.toString() ?? null, `header ${name}`)
      if (!isLetter) assert.equal(timestamp, input.timestamp)
      else {
        assert.equal(headers['kri-original-timestamp'], String(input.timestamp))
        if (input.value === null || Buffer.isBuffer(input.value)) assert.deepEqual(bytes, input.value)
      }
    }
  }
}
