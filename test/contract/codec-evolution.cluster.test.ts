import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { avro } from '../../src/kafka/avro-codec.ts'
import type { Codec, SchemaType } from '../../src/kafka/codec.ts'
import { jsonSchema } from '../../src/kafka/json-codec.ts'
import { createSchemaRegistry } from '../../src/kafka/schema-registry.ts'
import { registerSchemas } from '../../src/kafka/topic-schemas.ts'
import { testCluster } from '../support/cluster.ts'
import { codecContext } from '../support/codec-context.ts'
import { plainBlock } from '../support/plain-block.ts'

const { registryUrl, prefix, skip } = await testCluster()

const avroLoan = (...fields: object[]) =>
  JSON.stringify({
    type: 'record',
    name: 'Loan',
    namespace: 'kri.test',
    fields: [{ name: 'id', type: 'string' }, ...fields],
  })
const jsonLoan = (amount: object, ...required: string[]) =>
  JSON.stringify({ title: prefix, type: 'object', required, properties: { id: { type: 'string' }, amount } })
const fails = (code: string, what: RegExp) => (error: unknown) => {
  const got = error as { code?: string; message: string }
  assert.equal(got.code, code, got.message)
  assert.match(got.message, what)
  return true
}

/** A version of the project: its codec, with the schema file that it has. */
function version<T>(topic: string, codec: Codec<T>, schema: string, type: SchemaType) {
  const registry = createSchemaRegistry({ url: registryUrl })
  const context = codecContext(registry, { topic: prefix + topic, readSchema: async () => schema })
  return {
    register: () =>
      registerSchemas([{ subject: `${prefix}${topic}-value`, schema: 'loan', type }], registry, async () => schema),
    async write(value: T): Promise<Buffer> {
      const buffer = Buffer.alloc(1_000)
      return buffer.subarray(0, (await codec.openEncoder(context)).encode(value, buffer, 0))
    },
    async read(bytes: Buffer): Promise<T> {
      const decoder = await codec.openDecoder(context)
      await decoder.prepare!(plainBlock([{ value: bytes }]))
      return decoder.decode(bytes, 0, bytes.length)
    },
  }
}

suite('schemas that change, on a real registry', { skip }, () => {
  test('Avro: the new project reads the old values and the old one the new, and what does not fit names both', async () => {
    interface Loan {
      readonly id: string
      readonly at?: Date
      readonly rate?: string
    }
    const at = { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' }, default: 0 }
    const rate = {
      name: 'rate',
      type: { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 3 },
      default: '\u0000',
    }
    const old = version<Loan>('loans', avro('loan'), avroLoan(at), 'AVRO')
    const changed = version<Loan>('loans', avro('loan'), avroLoan(rate), 'AVRO')
    const [first] = await old.register()
    const [second] = await changed.register()
    assert.deepEqual([first!.isNew, second!.isNew, (await changed.register())[0]!.isNew], [true, true, false])
    const oldBytes = await old.write({ id: 'a', at: new Date(5) })
    const newBytes = await changed.write({ id: 'b', rate: '3.125' })
    assert.deepEqual([oldBytes.readInt32BE(1), newBytes.readInt32BE(1)], [first!.id, second!.id])
    assert.deepEqual({ ...(await changed.read(oldBytes)) }, { id: 'a', rate: '0.000' })
    assert.deepEqual({ ...(await old.read(newBytes)) }, { id: 'b', at: new Date(0) })
    const { default: _, ...needed } = rate
    const strict = version<Loan>('loans', avro('loan'), avroLoan(needed), 'AVRO')
    const both = new RegExp(`schema id ${first!.id}, kri\\.test\\.Loan, which cannot be read as kri\\.test\\.Loan`)
    await assert.rejects(strict.read(oldBytes), fails('DECODE_SCHEMA', both))
  })

  test('JSON Schema: values fit what they were written with, and what the project reads', async () => {
    interface Loan {
      readonly id: string
      readonly amount?: number
    }
    const old = version<Loan>('json-loans', jsonSchema('loan'), jsonLoan({ type: 'number' }, 'id'), 'JSON')
    const changed = version<Loan>(
      'json-loans',
      jsonSchema('loan'),
      jsonLoan({ type: 'number', minimum: 0 }, 'id'),
      'JSON',
    )
    const unregistered = fails('REGISTRY_REFUSED', /has no version that is schemas\/loan\.schema\.json/)
    await assert.rejects(old.write({ id: 'a' }), unregistered)
    const [first] = await old.register()
    await assert.rejects(changed.write({ id: 'a' }), unregistered)
    const oldBytes = await old.write({ id: 'a', amount: 7.5 })
    assert.equal(oldBytes.readInt32BE(1), first!.id)
    assert.equal(String(oldBytes.subarray(5)), '{"id":"a","amount":7.5}')
    assert.deepEqual(await changed.read(oldBytes), { id: 'a', amount: 7.5 })
    const negative = await old.write({ id: 'a', amount: -1 })
    await assert.rejects(changed.read(negative), fails('DECODE_SCHEMA', /loan\.schema\.json: field amount: .*got -1/))
    // A producer that does not check.
    const lie = Buffer.concat([oldBytes.subarray(0, 5), Buffer.from('{}')])
    await assert.rejects(
      old.read(lie),
      fails('DECODE_SCHEMA', new RegExp(`schema id ${first!.id}, which it was written`)),
    )
  })

  test('types that a schema refers to in another subject are found', async () => {
    const post = async (subject: string, body: object): Promise<number> => {
      const response = await fetch(`${registryUrl}/subjects/${prefix}${subject}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify(body),
      })
      assert.ok(response.ok, await response.clone().text())
      return ((await response.json()) as { id: number }).id
    }
    const point = { type: 'record', name: 'Point', namespace: 'kri.test', fields: [{ name: 'x', type: 'int' }] }
    const line = (from: unknown) =>
      JSON.stringify({ type: 'record', name: 'Line', namespace: 'kri.test', fields: [{ name: 'from', type: from }] })
    await post('point', { schema: JSON.stringify(point) })
    const references = [{ name: 'kri.test.Point', subject: `${prefix}point`, version: 1 }]
    const id = await post('line', { schema: line('kri.test.Point'), references })
    const project = version<{ from: { x: number } }>('lines', avro('line'), line(point), 'AVRO')
    const bytes = Buffer.from([0, 0, 0, 0, 0, 14])
    bytes.writeInt32BE(id, 1)
    assert.equal((await project.read(bytes)).from.x, 7)
  })
})
