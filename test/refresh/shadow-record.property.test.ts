import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { inferenceJson } from '../../src/refresh/inference-json.ts'
import {
  encodeShadowRecord,
  parseShadowRecord,
  SHADOW_MAX_BYTES,
  type ShadowRecord,
  shadowRecord,
} from '../../src/refresh/shadow-record.ts'
import { anyInference } from '../support/any-inference.ts'

const SOURCE = { topic: 'in', partition: 3, offset: 2 ** 40 }
const read = (bytes: Buffer) => parseShadowRecord(bytes, 'record t.s.shadow/0/1')
const written = (record: ShadowRecord, maxBytes?: number) => read(encodeShadowRecord(record, maxBytes))
const jsonOf = (value: unknown) => {
  const json = inferenceJson(value, 1e6)
  return 'text' in json ? JSON.parse(json.text) : assert.fail(json.leftOut)
}

describe('the record of what two models said', () => {
  it('says where the record was read, who said what, whether that differs and how far', () => {
    const label = { p: Float32Array.of(0.25, 0.75), label: BigInt64Array.of(1n) }
    const other = { p: Float32Array.of(0.5, 0.5), label: BigInt64Array.of(0n) }
    const record = shadowRecord(SOURCE, { modelId: 'v1', inference: label }, { modelId: 'v2', inference: other })
    assert.deepEqual(JSON.parse(encodeShadowRecord(record).toString()), {
      source: { topic: 'in', partition: 3, offset: 2 ** 40 },
      stable: { modelId: 'v1', inference: { p: [0.25, 0.75], label: [1] } },
      candidate: { modelId: 'v2', inference: { p: [0.5, 0.5], label: [0] } },
      differs: true,
      maxDifference: 1,
    })
  })

  it('says why a candidate said nothing', () => {
    const record = shadowRecord(SOURCE, { modelId: 'v1', inference: 1 }, { modelId: 'v2', error: '[TIMEOUT] too long' })
    assert.deepEqual(written(record), { ...record, differs: true, maxDifference: 0 })
  })

  it('what is written is read', () => {
    const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' })
    const side = fc.record({ modelId: fc.string({ unit: 'grapheme' }), inference: json }, { noNullPrototype: true })
    fc.assert(
      fc.property(side, side, fc.nat(), (stable, candidate, partition) => {
        const record = shadowRecord({ ...SOURCE, partition }, stable, candidate)
        assert.deepEqual(written(record), record)
      }),
    )
  })

  it('R2: whatever models say can be written and read', () => {
    fc.assert(
      fc.property(anyInference(), anyInference(), (a, b) => {
        const record = shadowRecord(SOURCE, { modelId: 'v1', inference: a }, { modelId: 'v2', inference: b })
        const { stable, candidate, ...rest } = written(record)
        assert.deepEqual([stable.inference, candidate.inference], [jsonOf(a), jsonOf(b)])
        const { differs, maxDifference } = record
        assert.deepEqual(rest, { source: SOURCE, differs, maxDifference })
      }),
      { numRuns: 100 },
    )
  })

  it('R1: takes no more than it may, and leaves both inferences out where they do not fit', () => {
    const rows = fc.integer({ min: 0, max: 40_000 }).map(length => new Float32Array(length).fill(0.1))
    const text = fc
      .integer({ min: 0, max: 80_000 })
      .chain(length => fc.constantFrom('x', 'ä', '\u0000', '\ud800').map(c => c.repeat(length)))
    const inference = fc.oneof(anyInference(), rows, text)
    const id = fc.oneof(
      fc.constant('v'),
      fc.constantFrom('ü', '\u0001', '"').map(char => char.repeat(10_000)),
    )
    const maxBytes = fc.integer({ min: 65_536, max: 200_000 })
    fc.assert(
      fc.property(inference, inference, id, maxBytes, (a, b, modelId, most) => {
        const record = shadowRecord(SOURCE, { modelId, inference: a }, { modelId, inference: b })
        const bytes = encodeShadowRecord(record, most)
        assert.ok(bytes.length <= most, `${bytes.length} of ${most}`)
        const { stable, candidate, differs, maxDifference, leftOut } = read(bytes)
        assert.deepEqual([differs, maxDifference], [record.differs, record.maxDifference])
        const whole = bytes.length + sizeOf(a) + sizeOf(b)
        if (leftOut === undefined) assert.deepEqual([stable.inference, candidate.inference], [jsonOf(a), jsonOf(b)])
        else
          assert.deepEqual(
            [stable.inference, candidate.inference, leftOut, whole > most],
            [undefined, undefined, 'too large', true],
          )
      }),
    )
  })

  it('R1: leaves out what is one byte too large, and not what just fits', () => {
    const around = fc.integer({ min: -60, max: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_000 }), around, (length, over) => {
        const sideOf = (modelId: string, chars: number) => ({ modelId, inference: 'x'.repeat(Math.max(0, chars)) })
        const record = shadowRecord(SOURCE, sideOf('v1', length), sideOf('v2', 65_536 - 180 - length + over))
        const whole = encodeShadowRecord(record, 1e6).length
        const bytes = encodeShadowRecord(record, 65_536)
        assert.equal(read(bytes).leftOut, whole > 65_536 ? 'too large' : undefined, `${whole} bytes`)
        assert.ok(bytes.length <= 65_536)
      }),
    )
  })

  it('R1: without inferences it is small, whatever else there is', () => {
    const long = '\u0001'.repeat(100_000)
    const record = shadowRecord(
      { ...SOURCE, topic: 't'.repeat(249) },
      { modelId: long },
      { modelId: long, error: long },
    )
    const bytes = encodeShadowRecord({ ...record, leftOut: long })
    assert.ok(bytes.length < 65_536)
    assert.equal(read(bytes).candidate.error, `${long.slice(0, 1_000)}…`)
  })

  it('R1: the usual bound is a quarter of what brokers take', () => {
    const large = 'x'.repeat(SHADOW_MAX_BYTES - 1_000)
    const record = (inference: unknown) =>
      shadowRecord(SOURCE, { modelId: 'v1', inference }, { modelId: 'v2', inference: 1 })
    assert.equal(written(record(large)).leftOut, undefined)
    assert.equal(written(record(`${large}${large}`)).leftOut, 'too large')
  })

  it('R1, R2: what contains itself, is very deep or shares parts everywhere is left out, quickly', () => {
    const loop: unknown[] = []
    loop.push(loop)
    const deep = Array.from({ length: 100_000 }).reduce((value: unknown) => [value], 1)
    const shared = Array.from({ length: 60 }).reduce((value: unknown) => [value, value], 1)
    const reasons = [loop, deep, shared, new Array(4e9)].map(inference => {
      return written(shadowRecord(SOURCE, { modelId: 'v1', inference: 1 }, { modelId: 'v2', inference })).leftOut
    })
    const tooDeep = 'nested more than 64 deep'
    assert.deepEqual(reasons, [tooDeep, tooDeep, 'too large', 'too large'])
  })

  it('R2: what JSON has no words for is told in texts and lists', () => {
    const values = {
      none: undefined,
      no: [Number.NaN, Number.POSITIVE_INFINITY, -0],
      long: [2n ** 60n, 5n],
      map: new Map([['a', 1]]),
      set: new Set([1, 2]),
      date: new Date(0),
      error: new RangeError('far'),
      bytes: Uint8Array.of(1, 2).buffer,
      view: new DataView(Uint8Array.of(3).buffer),
    }
    assert.deepEqual(jsonOf(values), {
      none: null,
      no: ['NaN', 'Infinity', -0],
      long: ['1152921504606846976', 5],
      map: [['a', 1]],
      set: [1, 2],
      date: '1970-01-01T00:00:00.000Z',
      error: 'RangeError: far',
      bytes: [1, 2],
      view: [3],
    })
  })

  const good = {
    source: SOURCE,
    stable: { modelId: 'a' },
    candidate: { modelId: 'b' },
    differs: true,
    maxDifference: 0,
  }
  const wrong: readonly (readonly [field: string, value: unknown])[] = [
    ['the value', [good]],
    ['source', { ...good, source: null }],
    ['source.topic', { ...good, source: { ...SOURCE, topic: 1 } }],
    ['source.offset', { ...good, source: { ...SOURCE, offset: -1 } }],
    ['stable', { ...good, stable: 'a' }],
    ['candidate.modelId', { ...good, candidate: {} }],
    ['candidate.error', { ...good, candidate: { modelId: 'b', error: 1 } }],
    ['differs', { ...good, differs: 'yes' }],
    ['maxDifference', { ...good, maxDifference: -1 }],
    ['leftOut', { ...good, leftOut: true }],
  ]
  for (const [field, value] of wrong) {
    it(`a record whose ${field} is wrong is refused by that name`, () => {
      const expected = `[DECODE_MALFORMED] record t.s.shadow/0/1: ${field} cannot be used, expected `
      assert.throws(
        () => read(Buffer.from(JSON.stringify(value))),
        ({ message }: Error) => message.startsWith(expected),
      )
    })
  }

  it('what is no JSON, or no UTF-8, is refused; fields of a later version are left out', () => {
    assert.throws(() => read(Buffer.from('{')), /expected JSON, got /)
    assert.throws(() => read(Buffer.from([0xff, 0xfe])), /expected UTF-8, got other bytes/)
    assert.deepEqual(read(Buffer.from(JSON.stringify({ ...good, more: 1 }))), good)
  })
})

/** Bytes of the text of an inference; endless where there is none. */
function sizeOf(value: unknown): number {
  const json = inferenceJson(value, 1e7)
  return 'text' in json ? Buffer.byteLength(json.text) + 13 : Number.POSITIVE_INFINITY
}
