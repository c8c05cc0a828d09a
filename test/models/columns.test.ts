import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { classOf, fromTensor, toTensor } from '../../src/models/columns.ts'
import type { NumericDtype } from '../../src/models/tensors.ts'

const names = ['age', 'income', 'owner'] as const
const person = { age: 30, income: 1e4, owner: true, name: 'not a column' }
const refuses = (row: () => unknown, what: RegExp) => assert.throws(row, { name: 'TypeError', message: what })
/** A record that the compiler would refuse. */
const bad = (fields: object) => ({ ...person, ...fields }) as never

suite('columns', () => {
  test('fields become a row in the declared order, whatever order the record has', () => {
    assert.deepEqual(toTensor(names)(person), Float32Array.of(30, 1e4, 1))
    assert.deepEqual(toTensor(['owner', 'age'])({ age: 7, owner: false }), Float32Array.of(0, 7))
    assert.deepEqual(toTensor(['a'], { dtype: 'float64' })({ a: 0.1 }), Float64Array.of(0.1))
    assert.deepEqual(
      toTensor(['a', 'b'], { dtype: 'int64' })({ a: 2n ** 62n, b: -1 }),
      BigInt64Array.of(2n ** 62n, -1n),
    )
  })

  test('a field that is missing or no number is named, with its place and what was got', () => {
    const row = toTensor(names)
    refuses(() => row(bad({ income: undefined })), /^field income \(2 of 3\): expected float32, got undefined$/)
    refuses(() => row(bad({ income: null })), /field income .*got null/)
    refuses(() => row(bad({ age: '30' })), /field age \(1 of 3\): expected float32, got "30"/)
    refuses(() => row(bad({ age: Number.NaN })), /field age .*got NaN/)
    refuses(() => row(bad({ age: [30] })), /field age .*got \[30\]/)
    refuses(() => row(null as never), /a record with the fields age, income, owner, got null/)
    refuses(() => toTensor(['constructor'])({} as never), /field constructor .*got function Object/)
  })

  test('defaults stand for what is null, left out or NaN, and for nothing else', () => {
    const row = toTensor(names, { defaults: { income: -1, owner: Number.NaN } })
    assert.deepEqual(row({ age: 1 }), Float32Array.of(1, -1, Number.NaN))
    assert.deepEqual(row({ age: 1, income: null, owner: true }), Float32Array.of(1, -1, 1))
    assert.deepEqual(row({ age: 1, income: Number.NaN, owner: 0 }), Float32Array.of(1, -1, 0))
    refuses(() => row(bad({ income: 'none' })), /field income/)
    refuses(() => row(bad({ age: null })), /field age/)
  })

  test('nothing is cut, wrapped or made infinite', () => {
    for (const [dtype, value] of [
      ['float32', 1e39],
      ['float16', 70_000],
      ['float64', Number.POSITIVE_INFINITY],
      ['uint8', 256],
      ['uint8', -1],
      ['uint8', 0.5],
      ['int32', 2 ** 31],
      ['int64', 2 ** 53],
      ['int64', 2n ** 63n],
      ['int64', 0.5],
    ] as [NumericDtype, number | bigint][]) {
      const message = `field x (1 of 1): expected ${dtype}, got ${value}`
      assert.throws(() => toTensor(['x'], { dtype })({ x: value }), { name: 'TypeError', message })
    }
  })

  test('a row is named fields and back again', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { maxLength: 20 }), fc.infiniteStream(fc.integer()), (keys, numbers) => {
        const fields = keys.filter(key => key !== '__proto__')
        const row = Int32Array.from(fields, () => numbers.next().value)
        assert.deepEqual(toTensor(fields, { dtype: 'int32' })(fromTensor(fields)(row)), row)
      }),
    )
    assert.deepEqual(fromTensor(['no', 'yes'])(Float32Array.of(0.25, 0.75)), { no: 0.25, yes: 0.75 })
    assert.throws(() => fromTensor(['no', 'yes'])([1, 2, 3]), /expected a row of 2 elements \(no, yes\), got 3/)
  })

  test('a label is the name of a class', () => {
    const name = classOf(['no', 'yes'])
    assert.equal(name(BigInt64Array.of(1n)), 'yes')
    assert.equal(name([0]), 'no')
    for (const row of [[2], [-1], [0.5], [], [0, 1]]) assert.throws(() => name(row), /one label from 0 to 1, got \[/)
  })
})
