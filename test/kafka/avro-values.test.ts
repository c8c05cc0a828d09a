import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type AvroOptions, avroReader, avroWriter, compileAvro } from '../../src/kafka/avro-types.ts'
import type { EveryType } from '../support/schemas/types.ts'

const everyType = readFileSync(new URL('../support/schemas/every-type.avsc', import.meta.url), 'utf8')
const logical = (type: string, logicalType: string, more: object = {}) => JSON.stringify({ type, logicalType, ...more })

function written(schema: string, value: unknown, options: AvroOptions = {}): Buffer {
  const buffer = Buffer.alloc(100_000)
  return buffer.subarray(0, avroWriter(compileAvro(schema, options))(value, buffer, 0))
}

function read(schema: string, bytes: Buffer, options: AvroOptions = {}, writer = schema): unknown {
  // Bytes before and after, as in a block: what lies around must not matter.
  const around = Buffer.concat([Buffer.from([0xff, 0x81]), bytes, Buffer.alloc(40, 0x81)])
  const read = avroReader(compileAvro(schema, options), compileAvro(writer, { logicalTypes: 'raw' }))
  return read(around, 2, 2 + bytes.length)
}

/** Without the class of avsc's records. */
const plain = (value: unknown): unknown =>
  value === null || typeof value !== 'object' || Buffer.isBuffer(value) || value instanceof Date
    ? value
    : Array.isArray(value)
      ? value.map(plain)
      : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))

const fails = (code: string, what: RegExp) => (error: unknown) => {
  const got = error as { code?: string; message: string }
  assert.equal(got.code, code, got.message)
  assert.match(got.message, what)
  return true
}

const long = fc.maxSafeInteger().filter(value => Math.abs(value) < 2 ** 53 - 1)
const text = fc.string({ unit: 'binary' }).filter(value => value.isWellFormed())
const bytes = fc.uint8Array().map(value => Buffer.from(value))
const float = fc.float({ noNaN: true })
const date = fc.date({ noInvalidDate: true })
const iso = (digits: number) =>
  date.map(
    value =>
      value.toISOString().replace(/Z$/, '') +
      String(value.getTime() % 7)
        .slice(-1)
        .repeat(digits),
  )
const clock = (decimals: number) =>
  fc.integer({ min: 0, max: 86_399 }).map(second => {
    return `${new Date(second * 1000).toISOString().slice(11, 19)}.${String(second).padStart(decimals, '5').slice(-decimals)}`
  })
const decimal = (digits: number, scale: number) =>
  fc.integer({ min: -(10 ** digits) + 1, max: 10 ** digits - 1 }).map(value => (value / 10 ** scale).toFixed(scale))

const values: fc.Arbitrary<EveryType> = fc.record({
  nothing: fc.constant(null),
  yes: fc.boolean(),
  small: fc.integer(),
  large: long,
  single: float,
  twice: fc.double({ noNaN: true }),
  text,
  raw: bytes,
  four: fc.uint8Array({ minLength: 4, maxLength: 4 }).map(value => Buffer.from(value)),
  colour: fc.constantFrom('RED', 'GREEN'),
  before: fc.constantFrom('RED', 'GREEN'),
  maybe: fc.option(text),
  either: fc.oneof(fc.integer(), text, fc.boolean()),
  figure: fc.oneof(
    fc.constant(null),
    fc.double({ noNaN: true }).map(radius => ({ 'kri.test.Circle': { radius } })),
    fc.double({ noNaN: true }).map(side => ({ 'kri.shapes.Square': { side } })),
  ),
  floats: fc.array(float),
  doubles: fc.array(fc.double({ noNaN: true })),
  gaps: fc.array(fc.option(fc.integer())),
  counts: fc.dictionary(
    text.filter(key => key !== '__proto__'),
    long,
  ),
  next: fc.constant(null),
  day: date.map(value => value.toISOString().split('T')[0]!),
  clock: clock(3),
  fineClock: clock(6),
  at: date,
  fineAt: fc
    .date({ noInvalidDate: true, min: new Date('1700'), max: new Date('2200') })
    .map(value => `${value.toISOString().replace('Z', '')}007Z`),
  local: iso(0),
  fineLocal: fc
    .date({ noInvalidDate: true, min: new Date('1700'), max: new Date('2200') })
    .map(value => `${value.toISOString().replace('Z', '')}120`),
  id: fc.uuid(),
  price: decimal(9, 2),
  fixedPrice: decimal(15, 4),
  unknownUnit: long,
  seen: fc.option(date),
  size: fc.constantFrom('SMALL', 'LARGE'),
})

suite('Avro values', () => {
  test('a record of every type comes back as it was', () => {
    fc.assert(
      fc.property(values, values, (outer, inner) => {
        const value = { ...outer, next: inner }
        assert.deepEqual(plain(read(everyType, written(everyType, value))), plain(value))
      }),
      { numRuns: 200 },
    )
  })

  test('the bytes are the same with raw values and with BigInts', () => {
    fc.assert(
      fc.property(values, value => {
        const bytes = written(everyType, value)
        for (const options of [
          { logicalTypes: 'raw' },
          { longs: 'bigint' },
          { longs: 'bigint', logicalTypes: 'raw' },
        ] as const) {
          assert.deepEqual(written(everyType, read(everyType, bytes, options), options), bytes)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('random bytes are a value or DECODE_MALFORMED, soon, whatever the options', () => {
    for (const options of [{}, { logicalTypes: 'raw' }, { longs: 'bigint' }] as const) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
          try {
            read(everyType, Buffer.from(bytes), options)
          } catch (error) {
            fails('DECODE_MALFORMED', /./)(error)
          }
        }),
        { numRuns: 200 },
      )
    }
  })

  test('an int of more than 32 bits is refused in a list as anywhere else, and not cut', () => {
    const list = JSON.stringify({ type: 'array', items: 'int' })
    const five = (last: number) => Buffer.from([0xff, 0xff, 0xff, 0xff, last])
    const inList = (int: Buffer) => Buffer.concat([Buffer.of(2), int, Buffer.of(0)])
    assert.equal(read('"int"', five(0x0f)), -(2 ** 31))
    assert.deepEqual(read(list, inList(five(0x0f))), [-(2 ** 31)])
    for (const last of [0x10, 0x1f, 0x7f]) {
      assert.throws(() => read('"int"', five(last)), fails('DECODE_MALFORMED', /more than 32 bits/))
      assert.throws(() => read(list, inList(five(last))), fails('DECODE_MALFORMED', /more than 32 bits/))
    }
  })

  test('logical types are the values of the table, and raw values what is under them', () => {
    for (const [schema, value, raw] of [
      [logical('int', 'date'), '1969-12-31', -1],
      [logical('int', 'time-millis'), '13:45:00.123', 49_500_123],
      [logical('long', 'time-micros'), '00:00:00.000007', 7],
      [logical('long', 'timestamp-millis'), new Date(-1), -1],
      [logical('long', 'timestamp-micros'), '1969-12-31T23:59:59.999999Z', -1],
      [logical('long', 'local-timestamp-millis'), '2024-02-29T00:00:00.500', 1_709_164_800_500],
      [logical('long', 'local-timestamp-micros'), '1970-01-01T00:00:01.000001', 1_000_001],
      [logical('string', 'uuid'), '123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
      [logical('bytes', 'decimal', { precision: 4, scale: 2 }), '-12.30', Buffer.from('fb32', 'hex')],
      [logical('bytes', 'decimal', { precision: 3 }), '128', Buffer.from('0080', 'hex')],
      [logical('bytes', 'decimal', { precision: 2, scale: 2 }), '0.07', Buffer.of(7)],
    ] as const) {
      const bytes = written(schema, value)
      assert.deepEqual(read(schema, bytes), value)
      assert.deepEqual(read(schema, bytes, { logicalTypes: 'raw' }), raw)
    }
  })

  test('a decimal in a fixed that is larger than its digits need comes back', () => {
    const schema = logical('fixed', 'decimal', { name: 'Money', size: 32, precision: 10, scale: 2 })
    for (const value of ['12.30', '-12.30', '99999999.99']) assert.equal(read(schema, written(schema, value)), value)
  })

  test('timestamps are taken with an offset, and Dates as text, as JSON has them', () => {
    const micros = logical('long', 'timestamp-micros')
    assert.equal(read(micros, written(micros, '2024-05-01T02:00:00.5+02:00')), '2024-05-01T00:00:00.500000Z')
    const millis = logical('long', 'timestamp-millis')
    assert.deepEqual(read(millis, written(millis, '2024-05-01T00:00:00Z')), new Date('2024-05-01'))
  })

  test('what a logical type cannot say is refused when it is written, with its form', () => {
    for (const [schema, value, what] of [
      [logical('int', 'date'), '2024-02-30', /expected date \(text such as 2024-05-01\), got "2024-02-30"/],
      [logical('int', 'time-millis'), '24:00:00', /time-millis/],
      [logical('int', 'time-millis'), '12:00:00.0001', /time-millis/],
      [logical('long', 'timestamp-millis'), new Date(Number.NaN), /timestamp-millis \(a Date\)/],
      [logical('long', 'timestamp-millis'), 5, /timestamp-millis \(a Date\), got 5/],
      [logical('long', 'timestamp-micros'), '2024-05-01T00:00:00', /timestamp-micros/],
      [logical('long', 'timestamp-micros'), '9999-01-01T00:00:00Z', /timestamp-micros/],
      [logical('long', 'timestamp-micros'), '2024-05-01T00:00:00+99:00', /timestamp-micros/],
      [logical('long', 'timestamp-micros'), '2024-05-01T00:00:00+01:60', /timestamp-micros/],
      [logical('long', 'local-timestamp-millis'), '2024-05-01T00:00:00Z', /local-timestamp-millis/],
      [logical('string', 'uuid'), 'no', /uuid/],
      [logical('bytes', 'decimal', { precision: 4, scale: 2 }), '1.234', /decimal\(4, 2\)/],
      [logical('bytes', 'decimal', { precision: 4, scale: 2 }), '100.00', /decimal\(4, 2\)/],
      [logical('bytes', 'decimal', { precision: 4, scale: 2 }), 1.5, /decimal\(4, 2\)/],
    ] as const) {
      assert.throws(() => written(schema, value), fails('ENCODE_SCHEMA', what))
    }
    const micros = logical('long', 'timestamp-micros')
    const far = '9999-01-01T00:00:00.000001Z'
    assert.equal(read(micros, written(micros, far, { longs: 'bigint' }), { longs: 'bigint' }), far)
  })

  test('and when it is read', () => {
    const raw = { logicalTypes: 'raw' } as const
    for (const [schema, value] of [
      [logical('int', 'date'), 2 ** 31 - 1],
      [logical('int', 'time-millis'), 86_400_000],
      [logical('long', 'time-micros'), -1],
      [logical('long', 'timestamp-millis'), 8_640_000_000_000_001],
      [logical('string', 'uuid'), 'no'],
      [logical('bytes', 'decimal', { precision: 2 }), Buffer.of(100)],
      [logical('bytes', 'decimal', { precision: 2 }), Buffer.alloc(0)],
      [logical('bytes', 'decimal', { precision: 2 }), Buffer.alloc(10_000)],
    ] as const) {
      assert.throws(() => read(schema, written(schema, value, raw)), fails('DECODE_MALFORMED', /./))
    }
  })

  test('a logical type that is not valid, or not known, is what is under it', () => {
    for (const schema of [logical('string', 'date'), logical('bytes', 'decimal'), logical('long', 'of-the-future')]) {
      const value = schema.includes('bytes') ? Buffer.of(1) : schema.includes('string') ? 'x' : 5
      assert.deepEqual(read(schema, written(schema, value)), value)
    }
  })

  test('longs of all 64 bits are BigInts where that was asked for, and refused elsewhere', () => {
    const options = { longs: 'bigint' } as const
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), value => {
        const bytes = written('"long"', value, options)
        assert.equal(read('"long"', bytes, options), value)
        if (Math.abs(Number(value)) < 2 ** 53 - 1) assert.equal(read('"long"', bytes), Number(value))
        else assert.throws(() => read('"long"', bytes), fails('DECODE_MALFORMED', /beyond 2\^53.*longs: 'bigint'/))
      }),
    )
    assert.throws(() => written('"long"', 2n ** 63n, options), fails('ENCODE_SCHEMA', /got 9223372036854775808n/))
    assert.throws(() => written('"long"', 2 ** 53, options), fails('ENCODE_SCHEMA', /./))
    assert.throws(() => written('"long"', 5n), fails('ENCODE_SCHEMA', /expected long, got 5n/))
    assert.equal(read('"long"', written('"long"', 7), options), 7n)
    const overlong = Buffer.concat([Buffer.alloc(10, 0x80), Buffer.of(0)])
    for (const longs of ['number', 'bigint'] as const) {
      assert.throws(() => read('"long"', overlong, { longs }), fails('DECODE_MALFORMED', /a long of .*1[01] bytes/))
    }
    assert.throws(
      () => read('"long"', Buffer.from('ffffffffffffffffff7f', 'hex'), options),
      fails('DECODE_MALFORMED', /64 bits/),
    )
  })

  test('longs from 2^52 keep their sign, also as a double', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 2n }), fc.boolean(), (size, isNegative) => {
        const value = Number(isNegative ? -size : size)
        const bytes = written('"long"', value)
        assert.deepEqual(bytes, written('"long"', BigInt(value), { longs: 'bigint' }))
        assert.equal(read('"long"', bytes), value)
        assert.equal(read('"double"', bytes, {}, '"long"'), value)
      }),
    )
    assert.throws(() => read('"int"', written('"long"', 2 ** 31)), fails('DECODE_MALFORMED', /more than 32 bits/))
  })

  test('strings that are not UTF-8 are refused, both ways, as map keys too', () => {
    const malformed = Buffer.from('04c328', 'hex')
    assert.throws(() => read('"string"', malformed), fails('DECODE_MALFORMED', /not UTF-8/))
    const map = JSON.stringify({ type: 'map', values: 'null' })
    assert.throws(
      () => read(map, Buffer.concat([Buffer.of(2), malformed, Buffer.of(0)])),
      fails('DECODE_MALFORMED', /not UTF-8/),
    )
    assert.throws(() => written('"string"', 'a\ud800'), fails('ENCODE_SCHEMA', /./))
    assert.equal(read('"string"', written('"string"', 'x\ufffd€😀')), 'x\ufffd€😀')
  })
})
