import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import avsc from 'avsc'
import fc from 'fast-check'
import { avroReader, avroWriter, compileAvro } from '../../src/kafka/avro-types.ts'

const array = (items: unknown) => JSON.stringify({ type: 'array', items })
const record = (name: string, fields: Record<string, unknown>) =>
  JSON.stringify({ type: 'record', name, fields: Object.entries(fields).map(([name, type]) => ({ name, type })) })

/** Zigzag varints one behind the other. */
function longs(...values: number[]): Buffer {
  const long = avsc.Type.forSchema('long')
  return Buffer.concat(values.map(value => long.toBuffer(value)))
}

function written(schema: string, value: unknown): Buffer {
  const buffer = Buffer.alloc(10_000)
  const end = avroWriter(compileAvro(schema))(value, buffer, 7)
  return buffer.subarray(7, end)
}

function read(schema: string, bytes: Buffer, writer = schema): unknown {
  // Bytes before and after, as in a block: what lies around must not matter.
  const around = Buffer.concat([Buffer.from([0xff, 0x81]), bytes, Buffer.alloc(40, 0x81)])
  return avroReader(compileAvro(schema), compileAvro(writer))(around, 2, 2 + bytes.length)
}

const malformed = (what: RegExp) => (error: { code?: string; message: string }) => {
  assert.equal(error.code, 'DECODE_MALFORMED')
  assert.match(error.message, what)
  return true
}

suite('Avro types', () => {
  test('arrays of int are written and read as avsc does', () => {
    const schema = array('int')
    const original = avsc.Type.forSchema(JSON.parse(schema))
    fc.assert(
      fc.property(fc.array(fc.integer()), values => {
        assert.deepEqual(written(schema, values), original.toBuffer(values))
        assert.deepEqual(read(schema, original.toBuffer(values)), values)
      }),
    )
  })

  test('maps, unions, nested arrays and long arrays come back as they were', () => {
    const schema = record('Mixed', {
      names: { type: 'map', values: { type: 'array', items: 'long' } },
      maybe: ['null', 'string'],
    })
    const value = { names: { a: [1, 2 ** 40], __proto: [] }, maybe: 'x' }
    assert.deepEqual(JSON.parse(JSON.stringify(read(schema, written(schema, value)))), value)
  })

  test('blocks with a negative count and a size are read', () => {
    assert.deepEqual(read(array('int'), longs(-2, 2, 5, 6, 1, 7, 0)), [5, 6, 7])
  })

  test('1. a count larger than the bytes that are left is refused at once', () => {
    for (const items of ['int', 'string', 'double']) {
      assert.throws(() => read(array(items), longs(2 ** 45, 1, 2)), malformed(/35184372088832 items/))
      assert.throws(() => read(array(items), longs(-(2 ** 45), 9, 1)), malformed(/items in the/))
    }
    assert.throws(
      () => read(JSON.stringify({ type: 'map', values: 'null' }), longs(2 ** 45, 1, 2)),
      malformed(/items in the/),
    )
  })

  test('1. and 2. hold for fields that the reader does not have', () => {
    const reader = record('R', { kept: 'int' })
    for (const type of [
      { type: 'array', items: 'int' },
      { type: 'map', values: 'int' },
    ]) {
      const writer = record('R', { dropped: type, kept: 'int' })
      assert.throws(() => read(reader, longs(2 ** 45, 1, 2), writer), malformed(/block of/))
      assert.throws(() => read(reader, longs(-1, -9, 1), writer), malformed(/block of -9 bytes/))
    }
    const writer = record('R', { dropped: { type: 'array', items: 'int' }, kept: 'int' })
    assert.deepEqual({ ...(read(reader, longs(-2, 2, 5, 6, 0, 42), writer) as object) }, { kept: 42 })
  })

  test('4. items without bytes in many small blocks do not add up, read or skipped', () => {
    const nulls = Buffer.concat([longs(...Array<number>(2_000).fill(1_024)), longs(0)])
    assert.throws(() => read(array('null'), nulls), malformed(/items/))
    assert.throws(
      () => read(array(JSON.parse(array('null'))), Buffer.concat([longs(1), nulls, longs(0)])),
      malformed(/items/),
    )
    const writer = record('R', { dropped: { type: 'array', items: 'null' }, kept: 'int' })
    assert.throws(
      () => read(record('R', { kept: 'int' }), Buffer.concat([nulls, longs(7)]), writer),
      malformed(/items/),
    )
    assert.deepEqual(read(array('null'), longs(1_000, 0)), Array<null>(1_000).fill(null))
  })

  test('random bytes are a value or DECODE_MALFORMED, soon', () => {
    const schema = readFileSync(new URL('../../schemas/digit.avsc', import.meta.url), 'utf8')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        try {
          read(schema, Buffer.from(bytes))
        } catch (error) {
          malformed(/./)(error as never)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('a value that is cut or has bytes behind it is refused', () => {
    const schema = record('Two', { a: 'string', b: 'int' })
    const bytes = written(schema, { a: 'hello', b: 7 })
    for (let size = 0; size < bytes.length; size++) {
      assert.throws(() => read(schema, bytes.subarray(0, size)), malformed(/early|expected|left/))
    }
    assert.throws(() => read(schema, Buffer.concat([bytes, Buffer.of(0)])), malformed(/after 7 bytes, got 8 bytes/))
  })

  test('a long beyond 2^53 is refused with a clear sentence', () => {
    const bytes = Buffer.from('feffffffffffffffff01', 'hex')
    assert.throws(() => read('"long"', bytes), malformed(/a long beyond 2\^53/))
  })

  test('a writer schema resolves onto the reader schema: defaults, removed fields, promotion', () => {
    const reader = JSON.stringify({
      type: 'record',
      name: 'V2',
      aliases: ['V1'],
      fields: [
        { name: 'pixels', type: { type: 'array', items: 'float' } },
        { name: 'unit', type: 'string', default: 'grey' },
      ],
    })
    const writer = record('V1', { pixels: { type: 'array', items: 'int' }, old: 'string' })
    const value = read(reader, written(writer, { pixels: [1, -2, 300], old: 'x' }), writer) as object
    assert.deepEqual({ ...value }, { pixels: [1, -2, 300], unit: 'grey' })
  })

  test('3. typed arrays are written as they stand', () => {
    const floats = Float32Array.of(0.1, -3, 1e-30)
    assert.deepEqual(read(array('float'), written(array('float'), floats)), [...floats])
    assert.deepEqual(read(array('int'), written(array('int'), Int32Array.of(1, -70_000))), [1, -70_000])
  })

  test('ENCODE_SCHEMA names field path, expected, got', () => {
    const schema = record('Out', { id: 'string', scores: { type: 'array', items: 'int' } })
    const fails = (value: unknown, what: RegExp) =>
      assert.throws(
        () => written(schema, value),
        (error: { code?: string; message: string }) => {
          assert.equal(error.code, 'ENCODE_SCHEMA')
          assert.match(error.message, what)
          return true
        },
      )
    fails({ id: 'a', scores: [1, 2.5] }, /schema Out: field scores\.1: expected int, got 2\.5/)
    fails({ id: 7, scores: [] }, /field id: expected string, got 7/)
    fails({ id: 'a' }, /field scores: expected array, got nothing/)
    fails(undefined, /\(the value itself\): expected record, got nothing/)
    fails({ id: 'a', scores: Float32Array.of(0.5) }, /field scores\.0: expected int, got 0\.5/)
  })

  test('a value that does not fit says how many bytes it needs', () => {
    const schema = readFileSync(new URL('../../schemas/digit.avsc', import.meta.url), 'utf8')
    const value = { id: 'digit-1', pixels: Array.from({ length: 64 }, (_, i) => i * 20) }
    const size = written(schema, value).length
    const write = avroWriter(compileAvro(schema))
    for (let room = 0; room <= size + 2; room++) {
      const end = write(value, Buffer.alloc(5 + room), 5)
      assert.equal(end, room < size ? -size : 5 + size, `with room for ${room}`)
    }
  })
})
