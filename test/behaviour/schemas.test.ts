import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { avro, from, jsonSchema, topology } from 'kafka-run-inference'
import type { Digit } from '../../schemas/types.ts'
import type { Tumour } from '../../topologies/breast-cancer.ts'
import { ndjson } from '../support/ndjson.ts'
import { feed, onDriver } from '../support/on-driver.ts'

/** A value behind the id of a schema, as a producer of another kind writes it. */
function framed(id: number, value: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeInt32BE(id, 1)
  return Buffer.concat([prefix, value])
}

const avroDigits = topology('digits', [from('in', avro<Digit>('digit')).to('out', avro<Digit>('digit'))])
const jsonTumours = topology('tumours', [
  from('in', jsonSchema<Tumour>('tumour')).to('out', jsonSchema<Tumour>('tumour')),
])

suite('schemas on the driver', () => {
  test('an older Avro schema is read as ours; one that does not fit makes dead letters that name both', async () => {
    await onDriver(avroDigits, async driver => {
      const schema = JSON.parse(await readFile('schemas/digit.avsc', 'utf8'))
      const [id, pixels] = schema.fields
      const named = (name: string, fields: object[]) => JSON.stringify({ ...schema, name, fields })
      const swapped = await driver.registry.register('in-value', named('Digit', [pixels, { ...id, type: 'bytes' }]))
      const other = await driver.registry.register('in-value', named('Letter', [id, pixels]))
      // An array of one pixel, 7, and the text "A".
      const value = Buffer.from([2, 14, 0, 2, 0x41])
      await feed(driver, [
        { value: framed(swapped, value) },
        { value: framed(other, value) },
        { value: { id: 'B', pixels: [] } },
      ])
      const outputs = await driver.read('out')
      assert.deepEqual(
        outputs.map(({ value }) => ({ ...(value as Digit) })),
        [
          { id: 'A', pixels: [7] },
          { id: 'B', pixels: [] },
        ],
      )
      const [letter, ...rest] = await driver.read('digits.failed-preprocess')
      assert.deepEqual(rest, [])
      assert.equal(letter!.headers['kri-code'], 'DECODE_SCHEMA')
      assert.match(
        letter!.headers['kri-error-message']!,
        /id \d, kri\.digits\.Letter, .* cannot be read as kri\.digits\.Digit/,
      )
      assert.deepEqual(letter!.bytes, framed(other, value))
    })
  })

  test('values with the id of a JSON Schema: written, read, refused, and held back while the registry is away', async () => {
    const records = await ndjson<Tumour>('data/tumours.ndjson')
    await onDriver(jsonTumours, async driver => {
      const own = await readFile('schemas/tumour.schema.json', 'utf8')
      const looser = await driver.registry.register('in-value', '{"type":"object"}', 'JSON')
      const id = (await driver.registry.lookup('in-value', own, 'JSON'))!
      const anything = framed(looser, Buffer.from('{"id":"x"}'))
      const inputs = records.slice(0, 20).map(record => ({ value: framed(id, Buffer.from(JSON.stringify(record))) }))
      // So that nothing is read before the registry is away.
      driver.broker.delay('fetch', 100)
      await driver.pipe('in', [...inputs, { value: anything }])
      driver.broker.delay('fetch', 0)
      driver.registry.down()
      await driver.advance(10_000)
      assert.match(driver.running.health().problems.registry!, /REGISTRY_UNAVAILABLE/)
      assert.equal((await driver.read('tumours.failed-preprocess')).length, 0)
      driver.registry.up()
      await driver.advance(120_000)
      const outputs = await driver.read('out')
      assert.deepEqual(
        outputs.map(({ value }) => value),
        records.slice(0, 20),
      )
      const letters = await driver.read('tumours.failed-preprocess')
      assert.equal(letters.length, 1)
      assert.equal(letters[0]!.headers['kri-code'], 'DECODE_SCHEMA')
      assert.match(
        letters[0]!.headers['kri-error-message']!,
        /does not fit schemas\/tumour\.schema\.json: .*'mean_radius'/,
      )
    })
  })
})
