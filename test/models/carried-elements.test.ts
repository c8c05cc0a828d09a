import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packElements, unpackElements } from '../../src/models/carried-elements.ts'
import { packResults } from '../../src/models/function-results.ts'
import { isKV, kv } from '../../src/records.ts'

const carried = (value: unknown) => unpackElements(packElements([value]))[0]

test('plain data arrives as it is, keyed elements as keyed elements, wherever they stand', () => {
  const leaf = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined), fc.bigInt())
  const { value } = fc.letrec<{ value: unknown; list: unknown; object: unknown; keyed: unknown }>(tie => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, tie('list'), tie('object'), tie('keyed')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(fc.constantFrom('key', 'value', 'a', 'b'), tie('value'), { noNullPrototype: true }),
    keyed: fc.tuple(leaf, tie('value')).map(([key, inner]) => kv(key, inner)),
  }))
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), values =>
      assert.deepEqual(unpackElements(packElements(values)), values),
    ),
  )
})

test('an object of a user that looks like a keyed element is none', () => {
  assert.equal(isKV(carried({ key: 1, value: 2 })), false)
})

test('typed arrays bring their own elements and not the memory around them', () => {
  const block = new Float32Array(100_000)
  const bytes = packElements([kv('k', block.subarray(10, 12))])
  assert.ok(bytes.byteLength < 200, `${bytes.byteLength} bytes`)
  assert.deepEqual(unpackElements(bytes), [kv('k', new Float32Array(2))])
  for (const array of [new BigInt64Array([1n]), new Float16Array([1.5]), new Uint8Array(3)])
    assert.deepEqual(carried(array), array)
})

test('an object that contains itself does not hang', () => {
  const round: Record<string, unknown> = { keyed: kv('a', 1) }
  round.self = round
  const back = carried(round) as typeof round
  assert.equal(back.self, back)
  assert.ok(isKV(back.keyed))
})

test('what stands in many places is looked into once, and is keyed in each of them', () => {
  const inner = kv('a', kv('b', 1))
  let many: unknown = { inner, again: inner }
  for (let i = 0; i < 64; i++) many = { left: many, right: many }
  const back = unpackElements(packElements([many, inner])) as [Record<string, unknown>, unknown]
  let one: Record<string, unknown> = back[0]
  for (let i = 0; i < 64; i++) one = one[i % 2 ? 'left' : 'right'] as Record<string, unknown>
  assert.deepEqual([one.inner, one.again, back[1]], [inner, inner, inner])
})

test('results that cannot leave are refused by themselves', () => {
  const getter = {
    get bad(): never {
      throw new Error('do not look')
    },
  }
  const { results, refused } = packResults([1, () => {}, new Uint8Array(65 * 1024 * 1024), getter, 'end'], 'function 0')
  assert.deepEqual(refused.map(({ position, error }) => [position, error.code]).toSorted(), [
    [1, 'NOT_CLONEABLE'],
    [2, 'RESULT_TOO_LARGE'],
    [3, 'NOT_CLONEABLE'],
  ])
  assert.deepEqual(results.flatMap(unpackElements), [1, undefined, undefined, undefined, 'end'])
})

test('large results leave in several pieces, in their order', () => {
  const large = (fill: number) => new Uint8Array(30 * 1024 * 1024).fill(fill)
  const { results, refused } = packResults([large(1), large(2), 'x', large(3), large(4)], 'function 0')
  assert.equal(refused.length, 0)
  assert.equal(results.length, 2)
  const kinds = results
    .flatMap(unpackElements)
    .map(value => (typeof value === 'string' ? value : (value as Uint8Array)[0]))
  assert.deepEqual(kinds, [1, 2, 'x', 3, 4])
})
