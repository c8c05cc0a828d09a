import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { Dtype, TensorData, TensorSpec } from '../../src/models/tensors.ts'
import { DirectRun } from '../../src/pipeline/direct-run.ts'
import { type InputLayout, StagedRun, type StagingParts } from '../../src/pipeline/staged-run.ts'
import { allocateRows, copyRows, rowView, shapeOfRow, writeRow } from '../../src/pipeline/tensor-rows.ts'
import { kv } from '../../src/records.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const spec = (dtype: Dtype, ...shape: (number | null)[]): TensorSpec => ({ dtype, shape })

function written(dtype: Dtype, value: unknown): unknown[] {
  const into = allocateRows(dtype, 2, 2)
  for (let i = 0; i < 4; i++) (into as unknown[])[i] = dtype === 'string' ? '-' : dtype === 'int64' ? 9n : 9
  writeRow('x', spec(dtype, 2), value, into, 2)
  const all = Array.from(into as ArrayLike<unknown>)
  assert.deepEqual(
    all.slice(0, 2),
    dtype === 'string' ? ['-', '-'] : dtype === 'int64' ? [9n, 9n] : [9, 9],
    'the row before',
  )
  return all.slice(2)
}

const refused = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RunInferenceError && error.code === 'SHAPE_MISMATCH', String(error))
  assert.match(error.message, pattern)
  return true
}

describe('writing a row', () => {
  const fits: readonly (readonly [Dtype, unknown, unknown[]])[] = [
    ['float32', [1, 2.5], [1, 2.5]],
    ['float32', Float32Array.of(1, 2), [1, 2]],
    ['float32', Float64Array.of(0.5, 2), [0.5, 2]],
    ['float32', Int32Array.of(3, -4), [3, -4]],
    ['float32', [Number.NaN, -0], [Number.NaN, -0]],
    ['float64', Float32Array.of(0.5, 2), [0.5, 2]],
    ['uint8', [0, 255], [0, 255]],
    ['uint8', Buffer.from([1, 2]), [1, 2]],
    ['int32', Int32Array.of(1, -2), [1, -2]],
    ['int32', [1, -2], [1, -2]],
    ['int64', BigInt64Array.of(1n, -2n), [1n, -2n]],
    ['int64', [1n, -(2n ** 63n)], [1n, -(2n ** 63n)]],
    ['string', ['a', ''], ['a', '']],
  ]
  for (const [dtype, value, expected] of fits) {
    it(`${dtype} takes ${show(value)}`, () => assert.deepEqual(written(dtype, value), expected))
  }

  const wrong: readonly (readonly [Dtype, unknown, RegExp])[] = [
    ['float32', [1, '2'], /"x": expected float32\[2\], got 2 \(string\) at element 1/],
    ['float32', [1, null], /got null/],
    ['float32', [1, undefined], /got undefined/],
    ['float32', [1, 2n], /got 2 \(bigint\)/],
    ['float32', BigInt64Array.of(1n, 2n), /got 1 \(bigint\)/],
    ['uint8', [1, 256], /got 256 at element 1/],
    ['uint8', [1, 1.5], /got 1.5/],
    ['uint8', Int32Array.of(1, -1), /got -1/],
    ['int32', Float32Array.of(1, 2.5), /got 2.5/],
    ['int32', [1, Number.NaN], /got NaN/],
    ['int64', [1, 2], /got 1 \(number\)/],
    ['int64', Int32Array.of(1, 2), /got 1 \(number\)/],
    ['int64', [1n, 2n ** 63n], /got 9223372036854775808/],
    ['string', ['a', 5], /got 5 \(number\)/],
    ['string', Float32Array.of(1, 2), /got 1 \(number\)/],
  ]
  for (const [dtype, value, message] of wrong) {
    it(`${dtype} refuses ${show(value)}`, () => assert.throws(() => written(dtype, value), refused(message)))
  }
})

describe('the shape of a row', () => {
  it('is the declared one when nothing is open, and must have as many elements', () => {
    assert.deepEqual(shapeOfRow('x', spec('float32', 2, 3), new Float32Array(6)), [2, 3])
    assert.deepEqual(shapeOfRow('x', spec('float32'), [1]), [])
    assert.throws(
      () => shapeOfRow('x', spec('float32', 2, 3), new Float32Array(5)),
      refused(/float32\[2,3\], got 5 elements/),
    )
  })

  it('fills in an open dimension from the number of elements', () => {
    assert.deepEqual(shapeOfRow('x', spec('float32', 2, null), new Float32Array(6)), [2, 3])
    assert.deepEqual(shapeOfRow('x', spec('string', null), ['a']), [1])
    assert.throws(() => shapeOfRow('x', spec('float32', 2, null), new Float32Array(5)), refused(/float32\[2,\?\]/))
    assert.throws(() => shapeOfRow('x', spec('float32', 2, null), []), refused(/got 0 elements/))
  })

  it('refuses what is no list', () => {
    for (const value of [null, undefined, 5, 'text', {}, new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)])
      assert.throws(() => shapeOfRow('', spec('float32', 2), value), refused(/the input tensor: expected float32\[2\]/))
  })
})

describe('rows', () => {
  it('are copied and viewed at their places, for every type', () => {
    for (const dtype of ['float32', 'float64', 'uint8', 'int32', 'int64', 'string'] as const) {
      const make = (n: number) => (dtype === 'string' ? String(n) : dtype === 'int64' ? BigInt(n) : n)
      const from = allocateRows(dtype, 3, 2)
      for (let i = 0; i < 6; i++) (from as unknown[])[i] = make(i)
      const into = allocateRows(dtype, 3, 2)
      for (let i = 0; i < 6; i++) (into as unknown[])[i] = make(0)
      copyRows(from, 2, 4, into, 0)
      assert.deepEqual(Array.from(into as ArrayLike<unknown>), [2, 3, 4, 5, 0, 0].map(make))
      assert.deepEqual(Array.from(rowView(into, 2, 2) as ArrayLike<unknown>), [4, 5].map(make))
    }
  })
})

describe('a staged run', () => {
  const layout: InputLayout = {
    names: ['a', 'words'],
    specs: [spec('float32', 2), spec('string', null)],
    unnamed: false,
    padding: undefined,
  }
  const staging = (capacity: number, keyed: boolean): StagingParts => ({
    work,
    layout,
    bucketKey: 'key',
    shapes: [[2], [1]],
    capacity,
    keyed,
    measured: { bytes: true, size: true },
    nowMs: 5,
    route: 0,
    cohort: 0,
  })
  const work = workOf(blockOf([sourceRecord(0), sourceRecord(1)]), flowOf())

  it('copies examples, so that functions may use their arrays again, and stages nothing of one that does not fit', () => {
    const run = new StagedRun(staging(3, true))
    const reused = Float32Array.of(1, 2)
    run.add(0, { a: reused, words: ['x'] }, 'k0', 3)
    reused.fill(7)
    assert.throws(
      () => run.add(1, { a: reused, words: [5] }, 'bad', 9),
      refused(/"words": expected string\[\?\], got 5 \(number\)/),
    )
    assert.throws(() => run.add(1, { a: reused }, 'bad', 9), refused(/"words".*got an example that has a$/))
    assert.throws(() => run.add(1, 'text', 'bad', 9), refused(/expected an example \{ a, words \}, got string/))
    run.add(1, { a: [3, 4], words: ['yé'] }, 'k1', 4)
    assert.equal(run.count, 2)
    assert.deepEqual(run.keys, ['k0', 'k1'])
    assert.deepEqual(run.example(1), { a: Float32Array.of(3, 4), words: ['yé'] })
    const inputs: TensorData[] = [new Float32Array(6), []]
    run.fill(0, 2, inputs, 1)
    assert.deepEqual(Array.from(inputs[0] as Float32Array), [0, 0, 1, 2, 3, 4])
    assert.deepEqual((inputs[1] as string[]).slice(1), ['x', 'yé'])
    assert.equal(run.cost.rowBytes, 8)
    assert.deepEqual(Array.from(run.cost.stringBytes!).slice(0, 2), [1, 3])
    assert.deepEqual(Array.from(run.cost.sizes!).slice(0, 2), [3, 4])
  })

  it('of an example without an input says what it has, and what was probably meant', () => {
    const run = new StagedRun(staging(1, false))
    const add = (example: unknown) => () => run.add(0, example, undefined, 0)
    assert.throws(
      add({ a: [1, 2], word: ['x'] }),
      refused(/"words": expected string\[\?\], got an example that has a, word\. Did you mean word\?$/),
    )
    assert.throws(add({}), refused(/"a": .* got an example that has nothing$/))
    assert.throws(add(kv('key', { a: [1, 2] })), refused(/got a keyed element: wrap the model in keyed\(…\)/))
    assert.throws(() => shapeOfRow('', spec('float32', 2), kv('key', [1, 2])), refused(/got a keyed element: wrap/))
  })

  it('is full at its capacity', () => {
    const run = new StagedRun(staging(1, false))
    assert.equal(run.full, false)
    run.add(0, { a: [1, 2], words: ['x'] }, undefined, 0)
    assert.equal(run.full, true)
    assert.equal(run.keys, undefined)
  })
})

describe('a direct run', () => {
  it('copies the values of its rows, and only those, from the block to the slot', () => {
    const value = (n: number) => Buffer.from(Float32Array.of(n, n + 0.5).buffer)
    const records = [0, 1, 2, 3].map(n => sourceRecord(n, { value: value(n), key: Buffer.alloc(n) }))
    const work = workOf(blockOf(records), flowOf())
    const run = new DirectRun(work, Int32Array.of(0, 2, 3), spec('float32', 2), '2', 9)
    const input = new Float32Array(8)
    run.fill(1, 2, [input], 2)
    assert.deepEqual(Array.from(input), [0, 0, 0, 0, 2, 2.5, 3, 3.5])
    assert.deepEqual(run.example(2), Float32Array.of(3, 3.5))
    assert.deepEqual([run.count, run.rowShapes, run.arrivedAtMs, run.cost.rowBytes], [3, [[2]], 9, 8])
  })
})

function show(value: unknown): string {
  const list = Array.from(
    value as ArrayLike<unknown>,
    element => `${String(element)}${typeof element === 'bigint' ? 'n' : ''}`,
  )
  return `${(value as object).constructor.name} ${list.join(', ')}`
}
