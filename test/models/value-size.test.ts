import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { serialize } from 'node:v8'
import fc from 'fast-check'
import { sizeOfValue } from '../../src/models/value-size.ts'

const LIMIT = 1024 * 1024

describe('the size of a value', () => {
  test('is about that of its copy, and never much less', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withMap: true, withSet: true, withTypedArray: true }), value => {
        const size = sizeOfValue(value, LIMIT)
        assert.ok(3 * size >= serialize(value).length - 16, `${size} for ${serialize(value).length}`)
      }),
    )
  })

  test('is that of the elements of a view, not of the memory behind it', () => {
    const memory = new Float32Array(100_000)
    assert.equal(sizeOfValue([memory.subarray(0, 10), memory.subarray(20, 40)], LIMIT), 8 + 2 * 8 + 40 + 80)
    assert.equal(sizeOfValue(memory.buffer, LIMIT), 8 + 400_000)
  })

  test('counts what errors say, keys, and both sides of maps', () => {
    const long = 'x'.repeat(1_000)
    for (const value of [new Error(long), { [long]: 0 }, new Map([[long, 0]]), new Map([[0, long]]), new Set([long])])
      assert.ok(sizeOfValue(value, LIMIT) > 1_000)
  })

  test('counts an object once, also one that contains itself or is reached in many ways', () => {
    const endless: { self?: object } = {}
    endless.self = endless
    assert.ok(sizeOfValue(endless, LIMIT) < 100)
    let doubled: object = {}
    for (let depth = 0; depth < 60; depth++) doubled = { left: doubled, right: doubled }
    assert.ok(sizeOfValue(doubled, LIMIT) < 10_000)
  })

  test('is given up at the limit, whatever is behind it', () => {
    assert.ok(sizeOfValue(new Uint8Array(2 ** 31), LIMIT) > LIMIT)
    assert.ok(sizeOfValue(new Array(2 ** 32 - 1), LIMIT) > LIMIT)
    const counted = { times: 0 }
    const many = Array.from({ length: 1_000 }, () => ({
      get text() {
        counted.times++
        return 'x'.repeat(100_000)
      },
    }))
    assert.ok(sizeOfValue(many, LIMIT) > LIMIT)
    assert.ok(counted.times <= 11, `looked at ${counted.times} of them`)
  })
})
