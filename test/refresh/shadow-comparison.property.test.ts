import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import fc from 'fast-check'
import { compareInferences } from '../../src/refresh/shadow-comparison.ts'
import { anyInference } from '../support/any-inference.ts'

const SAME = { differs: false, maxDifference: 0 }
const DIFFERENT = { differs: true, maxDifference: 0 }

const FLOATS = [
  { Type: Float64Array, tolerance: 1e-9 },
  { Type: Float32Array, tolerance: 1e-5 },
  { Type: Float16Array, tolerance: 4e-3 },
] as const
const INTEGERS = [Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array] as const

describe('what two models say of a record', () => {
  for (const { Type, tolerance } of FLOATS) {
    it(`D1: rows of ${Type.name} differ by more than ${tolerance} of their size, and the largest difference is told`, () => {
      const number = fc.double({ min: -6e4, max: 6e4, noNaN: true })
      const pairs = fc.array(fc.tuple(number, fc.double({ min: -3, max: 3, noNaN: true })), { maxLength: 20 })
      fc.assert(
        fc.property(pairs, list => {
          const a = new Type(list.map(([value]) => value))
          // Off by up to three times what is tolerated.
          const b = new Type(list.map(([value, off]) => value + off * tolerance * Math.max(1, Math.abs(value))))
          const distances = Array.from(a, (value, i) => Math.abs(value - b[i]!))
          const differs = distances.some((d, i) => d > tolerance * Math.max(1, Math.abs(a[i]!), Math.abs(b[i]!)))
          assert.deepEqual(compareInferences({ p: a }, { p: b }), { differs, maxDifference: Math.max(0, ...distances) })
        }),
      )
    })
  }

  it('D1: elements of integer types are exact, and so are int64 beyond what a number holds', () => {
    for (const Type of INTEGERS) {
      assert.deepEqual(compareInferences(new Type([1, 100, 7]), new Type([1, 101, 9])), {
        differs: true,
        maxDifference: 2,
      })
    }
    const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    fc.assert(
      fc.property(long, long, (a, b) => {
        const expected = { differs: a !== b, maxDifference: Number(a > b ? a - b : b - a) }
        assert.deepEqual(compareInferences(BigInt64Array.of(a), BigInt64Array.of(b)), expected)
        assert.deepEqual(compareInferences(a, b), expected)
      }),
    )
    assert.deepEqual(compareInferences([2n ** 62n], [2n ** 62n + 1n]), { differs: true, maxDifference: 1 })
  })

  it('D1: plain whole numbers are exact, others have the tolerance of float32', () => {
    assert.deepEqual(compareInferences({ id: 12_345_678 }, { id: 12_345_679 }), { differs: true, maxDifference: 1 })
    assert.equal(compareInferences(0.5, 0.500_009).differs, false)
    assert.equal(compareInferences(0.5, 0.500_011).differs, true)
    assert.equal(compareInferences(1e9 + 0.5, 1e9 + 5_000.5).differs, false)
  })

  it('D2: NaN is NaN, an infinity itself, 0 is −0; beside a number they differ without a distance', () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 0]
    for (const a of special) {
      for (const b of special) {
        const isNumber = Number.isFinite(a) && Number.isFinite(b)
        const expected = Object.is(a, b) ? SAME : { differs: true, maxDifference: isNumber ? 1 : 0 }
        assert.deepEqual(compareInferences(a, b), expected, `${a} and ${b}`)
        assert.deepEqual(compareInferences(Float32Array.of(a), Float32Array.of(b)), expected, `${a} and ${b}, in a row`)
      }
    }
    assert.deepEqual(compareInferences(0, -0), SAME)
    assert.deepEqual(compareInferences(Float64Array.of(0), Float64Array.of(-0)), SAME)
  })

  it('D2: a distance that no number holds is the largest one', () => {
    const max = Number.MAX_VALUE
    assert.deepEqual(compareInferences(max, -max), { differs: true, maxDifference: max })
  })

  const different: readonly (readonly [string, unknown, unknown])[] = [
    ['texts', 'cat', 'dog'],
    ['lists of another length', [1, 2], [1]],
    ['rows of another length', Float32Array.of(1, 2), Float32Array.of(1)],
    ['rows of another type', Float32Array.of(1), Float64Array.of(1)],
    ['a row and a list', Float32Array.of(1), [1]],
    ['a number and a text', 1, '1'],
    ['a number and a BigInt', 1, 1n],
    ['null and nothing', null, undefined],
    ['a member that is nothing, and none', { a: undefined }, {}],
    ['members of other names', { a: 1 }, { b: 1 }],
    ['a Map and an object', new Map([['a', 1]]), { a: 1 }],
    ['Maps of other keys', new Map([['a', 1]]), new Map([['b', 1]])],
    ['Sets', new Set([1]), new Set([2, 3])],
    ['dates', new Date(0), new Date(1)],
    ['errors', new Error('a'), new Error('b')],
    ['yes and no', { ok: true }, { ok: false }],
    ['lists of texts', { label: ['a', 'b'] }, { label: ['a', 'c'] }],
  ]
  for (const [what, a, b] of different) {
    it(`D3: ${what} differ, without a distance`, () => {
      assert.deepEqual(compareInferences(a, b), DIFFERENT)
      assert.deepEqual(compareInferences({ deep: [a] }, { deep: [b] }), DIFFERENT)
    })
  }

  it('D3: bytes are compared one by one', () => {
    const bytes = (...list: number[]) => Uint8Array.from(list)
    for (const made of [(list: Uint8Array) => list.buffer, (list: Uint8Array) => new DataView(list.buffer)]) {
      assert.deepEqual(compareInferences(made(bytes(1, 2)), made(bytes(1, 2))), SAME)
      assert.equal(compareInferences(made(bytes(1, 2)), made(bytes(1, 3))).differs, true)
    }
  })

  it('D3: the order of names, keys and members does not count', () => {
    assert.deepEqual(compareInferences({ a: 1, b: [2] }, { b: [2], a: 1 }), SAME)
    const [a, b] = [
      ['x', Float32Array.of(1)],
      ['y', Float32Array.of(2)],
    ] as const
    assert.deepEqual(compareInferences(new Map([a, b]), new Map([b, a])), SAME)
    assert.deepEqual(compareInferences(new Set(['x', 'y']), new Set(['y', 'x'])), SAME)
  })

  it('D3: any inference is the same as its copy, and finding that costs no distance', () => {
    fc.assert(
      fc.property(anyInference(), value => {
        assert.deepEqual(compareInferences(value, deserialize(serialize(value))), SAME)
      }),
      { numRuns: 100 },
    )
  })

  it('D3: a number that is changed anywhere is found, with its distance', () => {
    fc.assert(
      fc.property(anyInference(), anyInference(), (before, behind) => {
        const made = (number: number) => ({ list: [before, { row: Float32Array.of(0, number) }, behind] })
        const copy = deserialize(serialize(made(3.5))) as unknown
        assert.deepEqual(compareInferences(made(1), copy), { differs: true, maxDifference: 2.5 })
      }),
    )
  })

  it('D4: does not depend on which is which', () => {
    fc.assert(
      fc.property(anyInference(), anyInference(), (a, b) => {
        assert.deepEqual(compareInferences(a, b), compareInferences(b, a))
      }),
      { numRuns: 100 },
    )
  })

  it('D4: ends for values that contain themselves, share parts in many places, or are very deep', () => {
    const loop = (last: number) => {
      const list: unknown[] = [last]
      list.push({ list }, list)
      return list
    }
    assert.deepEqual(compareInferences(loop(1), loop(1)), SAME)
    assert.deepEqual(compareInferences(loop(1), loop(3)), { differs: true, maxDifference: 2 })
    const shared = (last: number) => {
      let value: unknown = [last]
      for (let i = 0; i < 60; i++) value = [value, value]
      return value
    }
    assert.deepEqual(compareInferences(shared(1), shared(2)), { differs: true, maxDifference: 1 })
    const deep = (last: number) => {
      let value: unknown = last
      for (let i = 0; i < 100_000; i++) value = { value }
      return value
    }
    assert.deepEqual(compareInferences(deep(1), deep(2)), { differs: true, maxDifference: 1 })
  })
})
