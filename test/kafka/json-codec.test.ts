import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Codec } from '../../src/kafka/codec.ts'
import { type JsonOptions, json } from '../../src/kafka/json-codec.ts'
import { codecContext } from '../support/codec-context.ts'

const schemas: Readonly<Record<string, unknown>> = {
  loan: {
    type: 'object',
    required: ['id', 'amount'],
    additionalProperties: false,
    properties: {
      id: { type: 'integer' },
      amount: { type: 'number', minimum: 0 },
      state: { enum: ['open', 'closed'] },
      scores: { type: 'array', items: { type: 'number' } },
    },
  },
  broken: { type: 'no such type' },
  draft4: { $schema: 'http://json-schema.org/draft-04/schema#' },
}
const context = codecContext(undefined, { readSchema: async name => JSON.stringify(schemas[name]) })
const fails = (code: string, what: RegExp) => (error: unknown) => {
  const got = error as { code?: string; message: string }
  assert.equal(got.code, code, got.message)
  assert.match(got.message, what)
  return true
}

async function opened<T>(options?: JsonOptions) {
  const codec: Codec<T> = json(options)
  const [decoder, encoder] = await Promise.all([codec.openDecoder(context), codec.openEncoder(context)])
  return {
    written(value: unknown): Buffer {
      const needed = encoder.encode(value as T, Buffer.alloc(0), 0)
      assert.ok(needed < 0, 'nothing fits into no room')
      const buffer = Buffer.alloc(3 - needed)
      assert.equal(encoder.encode(value as T, buffer, 3), buffer.length, 'the size it asked for is the size it takes')
      return buffer.subarray(3)
    },
    read(bytes: Buffer | string): T {
      const around = Buffer.concat([Buffer.from('"'), Buffer.from(bytes as string), Buffer.from(']')])
      return decoder.decode(around, 1, around.length - 1)
    },
  }
}

suite('json codec', () => {
  test('what JSON can say comes back as it was', async () => {
    const { written, read } = await opened()
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        assert.deepEqual(read(written(value)), value)
      }),
    )
  })

  test('every finite number comes back as it was, whatever becomes of longs', async () => {
    for (const longs of ['number', 'bigint'] as const) {
      const { written, read } = await opened<number>({ longs })
      fc.assert(
        fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
          assert.equal(read(written(value)), value)
        }),
      )
    }
  })

  test('zero below zero comes back with its sign, alone and inside', async () => {
    const { written, read } = await opened<unknown>()
    for (const value of [-0, [0, -0], { x: -0 }]) assert.deepEqual(read(written(value)), value)
  })

  test('with BigInts every integer beyond 2^53 comes back as one', async () => {
    const { written, read } = await opened<unknown>({ longs: 'bigint' })
    fc.assert(
      fc.property(fc.bigInt(), value => {
        const expected = Number.isSafeInteger(Number(value)) ? Number(value) : value
        assert.deepEqual(read(written({ value: [value] })), { value: [expected] })
      }),
    )
    assert.deepEqual(read('[9007199254740992, 1e20, 5]'), [9007199254740992n, 1e20, 5])
  })

  test('without, an integer that a number cannot hold is refused, and none is rounded', async () => {
    const { written, read } = await opened<unknown>()
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }), value => {
        try {
          assert.equal(String(read(String(value))), String(value))
        } catch (error) {
          fails('DECODE_MALFORMED', /more digits than a number can hold: it needs \{ longs: 'bigint' \}/)(error)
        }
      }),
    )
    for (const value of [2 ** 53, 1e20, 123456789012345680000]) assert.equal(read(written(value)), value)
    assert.throws(() => read('{"id":9007199254740993}'), fails('DECODE_MALFORMED', /9007199254740993 of field id/))
    assert.throws(() => read('1e400'), fails('DECODE_MALFORMED', /1e400 of the value itself is too large/))
    assert.throws(() => written({ id: 2n ** 60n }), fails('ENCODE_SCHEMA', /field id: .*1152921504606846976n/))
    assert.deepEqual(read(written({ id: 7n })), { id: 7 })
  })

  test('what is not JSON is refused with the position', async () => {
    const { read } = await opened()
    for (const [bytes, what] of [
      ['', /0 bytes, .* position 0 of 0/],
      ['{"a":abc}', /position 5 of 9/],
      ['{"a":1,}', /position 7/],
      [`["${'y'.repeat(100)}",tru]`, /position 107 of 108/],
      ['[1,2', /position 4/],
      ['{}}', /position 2/],
      [`["${'y'.repeat(100_000)}",tru]`, /in a text of 100008/],
      ['\ufeff1', /position 0/],
    ] as const) {
      assert.throws(() => read(bytes), fails('DECODE_MALFORMED', what), bytes)
    }
    assert.throws(() => read(Buffer.of(0x22, 0xff, 0x22)), fails('DECODE_MALFORMED', /not UTF-8/))
    assert.throws(() => read('['.repeat(2_000_000)), fails('DECODE_MALFORMED', /is not JSON/))
  })

  test('what JSON cannot say is refused with its path', async () => {
    const { written } = await opened()
    const cycle: { a: { b?: unknown } } = { a: {} }
    cycle.a.b = [cycle]
    for (const [value, what] of [
      [{ a: [1, Number.NaN] }, /field a\.1: expected a value that JSON can say, got NaN/],
      [{ a: { b: Number.POSITIVE_INFINITY } }, /field a\.b: .*Infinity/],
      [Float32Array.of(0, Number.NaN), /field 1: .*NaN/],
      [{ a: undefined }, /field a: .*nothing \(leave the field out, or give null\)/],
      [undefined, /\(the value itself\): .*nothing/],
      [[() => 1], /field 0: .*a function/],
      [new Map([[1, 2]]), /a Map/],
      [{ at: new Date(Number.NaN) }, /field at: .*a Date that is none/],
      [cycle, /field a\.b\.0: .*contains itself/],
    ] as const) {
      assert.throws(() => written(value), fails('ENCODE_SCHEMA', what))
    }
  })

  test('typed arrays are arrays, dates are text, the same object twice is no cycle', async () => {
    const { written, read } = await opened()
    const shared = { x: 1 }
    const value = {
      row: Float32Array.of(0.1, 2),
      bytes: Buffer.of(1, 255),
      ids: BigInt64Array.of(5n),
      shared: [shared, shared],
    }
    assert.deepEqual(read(written(value)), {
      row: [Math.fround(0.1), 2],
      bytes: [1, 255],
      ids: [5],
      shared: [shared, shared],
    })
    assert.equal(read(written(new Date(0))), '1970-01-01T00:00:00.000Z')
  })

  test('a schema is checked on both sides: path, expected, got', async () => {
    const { written, read } = await opened({ schema: 'loan' })
    assert.deepEqual(read(written({ id: 1, amount: 2.5, scores: Float32Array.of(0.5) })), {
      id: 1,
      amount: 2.5,
      scores: [0.5],
    })
    for (const [value, what] of [
      [{ id: 1 }, /\(the value itself\): expected to have required property 'amount', got \{"id":1\}/],
      [{ id: 'x', amount: 1 }, /field id: expected to be integer, got "x"/],
      [{ id: 1, amount: -1 }, /field amount: expected to be >= 0, got -1/],
      [{ id: 1, amount: 1, state: 'lost' }, /field state: .*\("open", "closed"\), got "lost"/],
      [{ id: 1, amount: 1, scores: [1, null] }, /field scores\.1: expected to be number, got null/],
      [{ id: 1, amount: 1, more: 1 }, /\(more\)/],
    ] as const) {
      assert.throws(() => written(value), fails('ENCODE_SCHEMA', what))
      assert.throws(() => read(JSON.stringify(value)), fails('DECODE_SCHEMA', what))
    }
  })

  test('a BigInt is an integer to the schema', async () => {
    const { written, read } = await opened({ schema: 'loan', longs: 'bigint' })
    const loan = { id: 2n ** 63n, amount: 1 }
    assert.deepEqual(read(written(loan)), loan)
  })

  test('a schema file that is none is found when the codec opens', async () => {
    await assert.rejects(
      opened({ schema: 'broken' }),
      fails('TOPOLOGY_INVALID', /schemas\/broken\.schema\.json is not a JSON/),
    )
    await assert.rejects(opened({ schema: 'draft4' }), fails('TOPOLOGY_INVALID', /draft-04/))
  })
})
