import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { RegisteredSchema } from '../../src/kafka/codec.ts'
import { jsonSchema } from '../../src/kafka/json-codec.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { codecContext } from '../support/codec-context.ts'
import { plainBlock } from '../support/plain-block.ts'

interface Loan {
  readonly id: number
  readonly amount?: number
}
const loan = (...required: string[]) =>
  JSON.stringify({ type: 'object', required, properties: { id: { type: 'integer' }, amount: { type: 'number' } } })
const own = loan('id')
const fails = (code: string, what: RegExp) => (error: unknown) => {
  const got = error as { code?: string; message: string }
  assert.equal(got.code, code, got.message)
  assert.match(got.message, what)
  return true
}

/** A value as another producer writes it. */
function framed(id: number, value: unknown): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeInt32BE(id, 1)
  return Buffer.concat([prefix, Buffer.from(JSON.stringify(value))])
}

async function opened(registry = createMemoryRegistry()) {
  const context = codecContext(registry, { topic: 'loans', readSchema: async () => own })
  const decoder = await jsonSchema<Loan>('loan').openDecoder(context)
  const read = async (bytes: Buffer) => {
    await decoder.prepare!(plainBlock([{ value: bytes }]))
    return decoder.decode(bytes, 0, bytes.length)
  }
  return { registry, context, decoder, read }
}

suite('jsonSchema codec', () => {
  test('the encoder looks its id up, and never registers', async () => {
    const { registry, context, read } = await opened()
    const codec = jsonSchema<Loan>('loan')
    assert.deepEqual(codec.schemas, [{ name: 'loan', type: 'JSON' }])
    const refused = fails('REGISTRY_REFUSED', /loans-value has no version that is schemas\/loan\.schema\.json/)
    await assert.rejects(codec.openEncoder(context), refused)
    await registry.register('loans-value', own, 'AVRO')
    await assert.rejects(codec.openEncoder(context), refused)
    const id = await registry.register('loans-value', own, 'JSON')
    const encoder = await codec.openEncoder(context)
    const buffer = Buffer.alloc(100)
    const bytes = buffer.subarray(0, encoder.encode({ id: 7, amount: 0.5 }, buffer, 0))
    assert.deepEqual(bytes, framed(id, { id: 7, amount: 0.5 }))
    assert.deepEqual(await read(bytes), { id: 7, amount: 0.5 })
    for (let room = 0; room < bytes.length; room++) {
      assert.equal(encoder.encode({ id: 7, amount: 0.5 }, Buffer.alloc(2 + room), 2), -bytes.length)
    }
    assert.throws(
      () => encoder.encode({ id: 0.5 }, buffer, 0),
      fails('ENCODE_SCHEMA', /field id: expected to be integer/),
    )
  })

  test('a schema is asked for once, and shared by all values that carry its id', async () => {
    const { registry, read } = await opened()
    const id = await registry.register('loans-value', own, 'JSON')
    const before = registry.calls
    for (let i = 0; i < 5; i++) assert.deepEqual(await read(framed(id, { id: i })), { id: i })
    assert.equal(registry.calls - before, 1)
  })

  test('a value must fit what it was written with, and what the project reads', async () => {
    const { registry, read } = await opened()
    const stricter = await registry.register('loans-value', loan('id', 'amount'), 'JSON')
    const looser = await registry.register('loans-value', loan(), 'JSON')
    assert.deepEqual(await read(framed(stricter, { id: 1, amount: 2 })), { id: 1, amount: 2 })
    await assert.rejects(
      read(framed(stricter, { id: 1 })),
      fails('DECODE_SCHEMA', new RegExp(`schema id ${stricter}, which it was written with: .*'amount'`)),
    )
    assert.deepEqual(await read(framed(looser, { id: 1 })), { id: 1 })
    await assert.rejects(read(framed(looser, {})), fails('DECODE_SCHEMA', /schemas\/loan\.schema\.json: .*'id'/))
  })

  test('what cannot be read says why: no id, no such id, no JSON, another kind of schema, a schema that is none', async () => {
    const { registry, decoder, read } = await opened()
    const id = await registry.register('loans-value', own, 'JSON')
    const avro = await registry.register('loans-key', '"string"')
    const broken = await registry.register('broken', '{"type":"nothing"}', 'JSON')
    assert.throws(() => decoder.decode(Buffer.from('{"id":1}'), 0, 8), fails('DECODE_MAGIC_BYTE', /first byte of 0x7b/))
    await assert.rejects(read(framed(99, {})), fails('DECODE_UNKNOWN_SCHEMA', /id 99/))
    await assert.rejects(read(framed(id, '').subarray(0, 6)), fails('DECODE_MALFORMED', /position/))
    await assert.rejects(read(framed(avro, {})), fails('DECODE_SCHEMA', /expected a JSON Schema, got AVRO/))
    await assert.rejects(
      read(framed(broken, {})),
      fails('DECODE_SCHEMA', new RegExp(`schema id ${broken}, which is not`)),
    )
  })

  test('a schema that is answered later is none that a value can be held against', async () => {
    const { registry, read } = await opened()
    for (const schema of ['{"$async":true,"type":"string"}', '{"$async":true}']) {
      const id = await registry.register('loans-value', schema, 'JSON')
      await assert.rejects(read(framed(id, { id: 1 })), fails('DECODE_SCHEMA', /\$async/))
    }
  })

  test('what a schema refers to is found', async () => {
    const registry = createMemoryRegistry()
    const amount = { name: 'amount.json', schema: '{"type":"number","minimum":0}' }
    const schema = '{"type":"object","properties":{"amount":{"$ref":"amount.json"}}}'
    const withReference: RegisteredSchema = { type: 'JSON', schema, references: [amount] }
    registry.schemaById = async () => withReference
    const { read } = await opened(registry)
    assert.deepEqual(await read(framed(5, { id: 1, amount: 3 })), { id: 1, amount: 3 })
    await assert.rejects(read(framed(5, { id: 1, amount: -3 })), fails('DECODE_SCHEMA', /field amount/))
  })
})
