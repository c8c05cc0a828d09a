// Whatever anybody writes to the topics about models: instances go on, and commands show what can be shown.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { from, json, keyed, modelHandler, topology, utf8 } from 'kafka-run-inference'
import { createTopologyDriver } from 'kafka-run-inference/testing'
import { modelMetadataTopic, modelStatusTopic } from '../../src/kafka/topic-names.ts'
import { fleetOf, readStatus } from '../../src/refresh/fleet-status.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { historyOf, readHistory } from '../../src/refresh/model-history.ts'
import { encodeStepModels } from '../../src/refresh/state-codec.ts'
import { encodeStatus, parseStatus } from '../../src/refresh/status-record.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { anyState } from '../support/step-model-arbitraries.ts'

const handler = modelHandler<number, string, string>({
  name: 'naming',
  modelId: 'own',
  loadModel: id => id,
  runInference: (batch, id) => batch.map(n => `${n} by ${id}`),
})
const naming = topology('t', [
  from('in', { key: utf8(), value: json<number>() })
    .runInference('name', keyed(handler), { modelMetadata: true })
    .to('out', { key: utf8(), value: json<string>() }),
])
const METADATA = modelMetadataTopic('t')
const STATUS = modelStatusTopic('t')

const status = encodeStatus({
  ...{ instance: 'i', memberIds: ['m'], ignored: { x: 'why' }, writtenAt: '2026-01-01T00:00:00Z' },
  slots: [{ slot: 'name', revision: 1, metadataOffset: 0, state: 'current', since: '2026-01-01', positions: {} }],
})
const bytes = fc.uint8Array({ maxLength: 64 }).map(each => Buffer.from(each))
const wellFormed = fc.oneof(anyState().map(encodeStepModels), fc.constant(status))
/** One field is something else, or gone, and there may be one more. */
const otherField = fc
  .tuple(wellFormed, fc.nat(), fc.jsonValue(), fc.constantFrom('replace', 'remove', '__proto__', 'constructor'))
  .map(([value, at, other, how]) => {
    const fields = Object.entries(JSON.parse(value.toString()) as object)
    const [name] = fields[at % fields.length]!
    const changed = fields.flatMap(([key, each]) => {
      if (key !== name || how === '__proto__' || how === 'constructor') return [[key, each]]
      return how === 'remove' ? [] : [[key, other]]
    })
    const more = how === '__proto__' || how === 'constructor' ? [[how, other]] : []
    return Buffer.from(JSON.stringify(Object.fromEntries([...changed, ...more])))
  })
const damaged = fc.tuple(wellFormed, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
  const copy = Buffer.from(value)
  copy[at % copy.length] = byte
  return copy
})
const cut = fc.tuple(wellFormed, fc.nat()).map(([value, at]) => value.subarray(0, at % value.length))
const deep = fc
  .constantFrom(
    '['.repeat(100_000),
    '['.repeat(100_000) + ']'.repeat(100_000),
    `{"revision":${'['.repeat(50_000)}1234567890123456789${']'.repeat(50_000)}}`,
    `{"instance":"i","memberIds":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`,
    '{"revision":1e400,"slots":[{"revision":99999999999999999999}]}',
  )
  .map(text => Buffer.from(text))
const value = fc.oneof(
  { weight: 3, arbitrary: otherField },
  { weight: 2, arbitrary: damaged },
  { weight: 2, arbitrary: wellFormed },
  ...[bytes, cut, deep, fc.jsonValue().map(each => Buffer.from(JSON.stringify(each))), fc.constant(null)].map(
    arbitrary => ({ weight: 1, arbitrary }),
  ),
)
const key = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('name', 'name/"de"', 'other', '__proto__', 'i', '').map(text => Buffer.from(text)),
  },
  { weight: 1, arbitrary: bytes },
)
const records = fc.array(fc.record({ topic: fc.constantFrom(METADATA, STATUS), key, value }), {
  minLength: 1,
  maxLength: 12,
})

describe('whatever is written to the topics about models', () => {
  it('an instance serves on, truthfully labelled, tells its status, and takes up the next thing that can be read', async () => {
    await fc.assert(
      fc.asyncProperty(records, async hostile => {
        const driver = await createTopologyDriver(naming)
        const writer = driver.port.writer()
        for (const { topic, key, value } of hostile)
          await writer.send([sealedBatch([{ timestamp: 1, key, value, headers: [] }], topic, 0)])
        await writer.close()
        await driver.advance(1_000)
        await driver.pipe('in', [{ key: 'a', value: 7 }])
        await driver.advance(1_000)
        const { ready, slots } = driver.running.health()
        const served = slots[0]!.modelId
        assert.ok(ready && served !== undefined)
        // A canary may have it.
        const names = [served, slots[0]!.candidate?.modelId]
        const [row] = await driver.read('out')
        assert.ok(
          names.some(name => row?.value === `7 by ${name}`),
          `${row?.value}: ${names}`,
        )

        await readMetadata(driver.port, METADATA)
        historyOf(await readHistory(driver.port, METADATA))
        const { instances, problems } = await readStatus(driver.port, STATUS)
        for (const why of problems.values()) assert.match(why, /^\[METADATA_INVALID\] /)
        for (const each of instances) parseStatus(encodeStatus(each), 'it')
        fleetOf(instances, ['m'], new Map(), Date.parse('2026-01-01'))
        assert.ok(instances.some(({ instance }) => instance === 'driver'))

        await driver.publishModel('name', { modelId: 'good', modelName: 'good' })
        await driver.pipe('in', [{ key: 'a', value: 8 }])
        await driver.advance(1_000)
        assert.equal((await driver.read('out'))[1]?.value, '8 by good')
        await driver.stop()
      }),
      { numRuns: 40 },
    )
  })
})
