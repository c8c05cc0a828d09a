import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { compileAvro } from '../../src/kafka/avro-types.ts'
import type { SchemaRegistryPort } from '../../src/kafka/codec.ts'

const schema = (name: string, ...fields: string[]) =>
  JSON.stringify({ type: 'record', name, namespace: 'kri.test', fields: fields.map(name => ({ name, type: 'int' })) })
/** The same schema, however it is spelt. */
const assertSame = (actual: string, expected: string) => assert.ok(compileAvro(actual).equals(compileAvro(expected)))
const code = (expected: string) => (error: { code?: string }) => error.code === expected

/** What every schema registry adapter does. Subjects are prefixed, so that it can run on a registry that is shared. */
export function schemaRegistryContract(
  name: string,
  prefix: string,
  open: () => SchemaRegistryPort,
  keepCompatible: (subject: string) => Promise<void> = async () => {},
): void {
  suite(`schema registry contract: ${name}`, () => {
    const subject = (test: string) => `${prefix}-${test}-value`

    test('a registered schema is found by id, by subject and by its text', async () => {
      const registry = open()
      const id = await registry.register(subject('found'), schema('Found', 'a'))
      assertSame((await registry.schemaById(id)).schema, schema('Found', 'a'))
      const latest = await registry.latest(subject('found'))
      assert.equal(latest.id, id)
      assertSame(latest.schema, schema('Found', 'a'))
      assert.equal(await registry.lookup(subject('found'), schema('Found', 'a')), id)
    })

    test('registering again gives the same id', async () => {
      const registry = open()
      const id = await registry.register(subject('again'), schema('Again', 'a'))
      assert.equal(await registry.register(subject('again'), schema('Again', 'a')), id)
    })

    test('lookup finds nothing under another subject, in another version, under no subject', async () => {
      const registry = open()
      await registry.register(subject('one'), schema('One', 'a'))
      await registry.register(subject('two'), schema('Two', 'a'))
      assert.equal(await registry.lookup(subject('two'), schema('One', 'a')), undefined)
      assert.equal(await registry.lookup(subject('one'), schema('One', 'b')), undefined)
      assert.equal(await registry.lookup(subject('none'), schema('One', 'a')), undefined)
    })

    test('a schema that could not read the latest version is refused with reasons; another, or a new subject, is not', async () => {
      const registry = open()
      const avro = (name: string, type: string) =>
        JSON.stringify({ type: 'record', name: 'Kept', namespace: 'kri.test', fields: [{ name, type }] })
      await registry.register(subject('kept'), avro('a', 'int'))
      await keepCompatible(subject('kept'))
      assert.deepEqual(await registry.incompatibilities(subject('kept'), avro('a', 'long')), [])
      const reasons = await registry.incompatibilities(subject('kept'), avro('b', 'string'))
      assert.ok(reasons.length > 0 && reasons.every(reason => reason.length > 0))
      assert.deepEqual(await registry.incompatibilities(subject('unheard'), avro('b', 'string')), [])
    })

    test('a JSON Schema is registered, found and given as such', async () => {
      const registry = open()
      const text = JSON.stringify({ type: 'object', title: prefix, properties: { a: { type: 'integer' } } })
      const id = await registry.register(subject('json'), text, 'JSON')
      assert.equal(await registry.register(subject('json'), text, 'JSON'), id)
      assert.equal(await registry.lookup(subject('json'), text, 'JSON'), id)
      assert.equal(await registry.lookup(subject('json'), text.replace('integer', 'number'), 'JSON'), undefined)
      for (const found of [await registry.schemaById(id), await registry.latest(subject('json'))]) {
        assert.equal(found.type, 'JSON')
        assert.deepEqual(JSON.parse(found.schema), JSON.parse(text))
      }
      assert.equal((await registry.schemaById(await registry.register(subject('avro'), schema('A', 'a')))).type, 'AVRO')
    })

    test('logical types and docs are in the schema as they were registered', async () => {
      const registry = open()
      const at = { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' }, doc: 'When.' }
      const text = JSON.stringify({ type: 'record', name: 'At', namespace: 'kri.test', fields: [at] })
      const id = await registry.register(subject('logical'), text)
      assert.deepEqual(JSON.parse((await registry.schemaById(id)).schema).fields[0], at)
    })

    test('an unknown id is DECODE_UNKNOWN_SCHEMA, an unknown subject REGISTRY_REFUSED', async () => {
      const registry = open()
      await assert.rejects(registry.schemaById(1_999_999_999), code('DECODE_UNKNOWN_SCHEMA'))
      await assert.rejects(registry.latest(subject('missing')), code('REGISTRY_REFUSED'))
    })
  })
}
