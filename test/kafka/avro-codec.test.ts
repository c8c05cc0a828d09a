import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import type { Digit } from '../../schemas/types.ts'
import { avro } from '../../src/kafka/avro-codec.ts'
import type { RowDecoder } from '../../src/kafka/codec.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { codecContext } from '../support/codec-context.ts'
import { plainBlock } from '../support/plain-block.ts'

const digit: Digit = { id: 'digit-1', pixels: Array.from({ length: 64 }, (_, i) => i % 17) }
const schema = readFileSync(new URL('../../schemas/digit.avsc', import.meta.url), 'utf8')
const code =
  (expected: string, what = /./) =>
  (error: unknown) => {
    const { code, message } = error as { code?: string; message: string }
    assert.equal(code, expected, message)
    assert.match(message, what)
    return true
  }

async function opened() {
  const registry = createMemoryRegistry()
  const id = await registry.register('digits-value', schema)
  const context = codecContext(registry)
  const codec = avro<Digit>('digit')
  const [decoder, encoder] = await Promise.all([codec.openDecoder(context), codec.openEncoder(context)])
  const buffer = Buffer.alloc(1000)
  const bytes = buffer.subarray(0, encoder.encode(digit, buffer, 0))
  return { registry, id, time: context.time, decoder, encoder, bytes }
}

const withId = (bytes: Buffer, id: number) => {
  const copy = Buffer.from(bytes)
  copy.writeInt32BE(id, 1)
  return copy
}
const decode = <T>(decoder: RowDecoder<T>, bytes: Buffer) => decoder.decode(bytes, 0, bytes.length)

suite('avro codec', () => {
  test('what was encoded is decoded, with the wire prefix of schema registries', async () => {
    const { decoder, bytes, id } = await opened()
    assert.equal(bytes[0], 0)
    assert.equal(bytes.readInt32BE(1), id)
    await decoder.prepare!(plainBlock([{ value: bytes }]))
    assert.deepEqual({ ...decode(decoder, bytes) }, digit)
  })

  test('prepare asks once per schema id, and not at all for what is known', async () => {
    const { decoder, bytes, registry } = await opened()
    const before = registry.calls
    const block = plainBlock([
      { value: bytes },
      { value: withId(bytes, 77) },
      { value: null },
      { value: Buffer.of(0, 0) },
      { value: bytes },
      { value: withId(bytes, 77) },
    ])
    await decoder.prepare!(block)
    assert.equal(registry.calls - before, 2)
    assert.equal(decoder.prepare!(block), undefined)
  })

  test('two blocks that need the same schema share one request', async () => {
    const { decoder, bytes, registry } = await opened()
    const before = registry.calls
    const block = plainBlock([{ value: bytes }])
    await Promise.all([decoder.prepare!(block), decoder.prepare!(block)])
    assert.equal(registry.calls - before, 1)
  })

  test('an unknown id is DECODE_UNKNOWN_SCHEMA, is remembered for 30 s, and found when it was registered', async () => {
    const { decoder, bytes, registry, id, time } = await opened()
    const unknown = withId(bytes, id + 1)
    const block = plainBlock([{ value: unknown }])
    await decoder.prepare!(block)
    assert.throws(() => decode(decoder, unknown), code('DECODE_UNKNOWN_SCHEMA', /id 2/))
    await registry.register('other', schema.replace('"int"', '"long"'))
    assert.equal(decoder.prepare!(block), undefined)
    time.ms = 29_999
    assert.equal(decoder.prepare!(block), undefined)
    time.ms = 30_000
    await decoder.prepare!(block)
    // A long does not fit into an int: known by now, and still not readable as a Digit.
    assert.throws(
      () => decode(decoder, unknown),
      code('DECODE_SCHEMA', /schema id 2, kri\.digits\.Digit, which cannot be read as kri\.digits\.Digit/),
    )
  })

  test('ids that no registry gives are unknown without a request', async () => {
    const { decoder, bytes, registry } = await opened()
    const before = registry.calls
    for (const id of [0, -1, -2_147_483_648]) {
      await decoder.prepare!(plainBlock([{ value: withId(bytes, id) }]))
      assert.throws(() => decode(decoder, withId(bytes, id)), code('DECODE_UNKNOWN_SCHEMA'))
    }
    assert.equal(registry.calls, before)
  })

  test('an outage rejects prepare, is retriable, and is not remembered', async () => {
    const { decoder, bytes, registry } = await opened()
    const block = plainBlock([{ value: bytes }])
    registry.down()
    await assert.rejects(decoder.prepare!(block)!, (error: { retriable?: boolean }) => error.retriable === true)
    registry.up()
    await decoder.prepare!(block)
    assert.equal(decode(decoder, bytes).id, 'digit-1')
  })

  test('values without the prefix are DECODE_MAGIC_BYTE', async () => {
    const { decoder, bytes } = await opened()
    assert.throws(() => decode(decoder, Buffer.alloc(0)), code('DECODE_MAGIC_BYTE', /got 0 bytes/))
    assert.throws(() => decode(decoder, Buffer.of(0, 0, 0, 1)), code('DECODE_MAGIC_BYTE', /got 4 bytes/))
    assert.throws(() => decode(decoder, Buffer.from('{"id":1}')), code('DECODE_MAGIC_BYTE', /first byte of 0x7b/))
    await decoder.prepare!(plainBlock([{ value: bytes }]))
    assert.throws(() => decode(decoder, bytes.subarray(0, 40)), code('DECODE_MALFORMED'))
  })

  test('keys are read from the keys', async () => {
    const registry = createMemoryRegistry()
    await registry.register('digits-key', schema)
    const context = codecContext(registry, { field: 'key' })
    const encoder = await avro<Digit>('digit').openEncoder(context)
    const decoder = await avro<Digit>('digit').openDecoder(context)
    const buffer = Buffer.alloc(1000)
    const key = buffer.subarray(0, encoder.encode(digit, buffer, 0))
    await decoder.prepare!(plainBlock([{ key, value: null }]))
    assert.deepEqual({ ...decode(decoder, key) }, digit)
  })

  test('an encoder needs its schema under the subject, and says how to register it', async () => {
    const registry = createMemoryRegistry()
    await assert.rejects(
      avro('digit').openEncoder(codecContext(registry)),
      code('REGISTRY_REFUSED', /Subject digits-value .* kri topics apply --schemas/),
    )
    await assert.rejects(
      avro('digit').openEncoder(codecContext(undefined)),
      code('SETTINGS_INVALID', /none is configured/),
    )
    await assert.rejects(avro('digit').openDecoder(codecContext(undefined)), code('SETTINGS_INVALID'))
  })

  test('what does not fit into the buffer asks for enough', async () => {
    const { encoder, bytes } = await opened()
    for (let room = 0; room < bytes.length; room++) {
      assert.equal(encoder.encode(digit, Buffer.alloc(3 + room), 3), -bytes.length)
    }
    assert.equal(encoder.encode(digit, Buffer.alloc(3 + bytes.length), 3), 3 + bytes.length)
  })
})
