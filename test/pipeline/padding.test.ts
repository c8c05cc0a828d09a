import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { LoadedTensor } from '../../src/models/executor.ts'
import type { OnnxModel } from '../../src/models/model-handler.ts'
import type { Dtype, NumericArray } from '../../src/models/tensors.ts'
import { paddedLength, planPadding, shapesAt } from '../../src/pipeline/padding.ts'
import { RaggedRun } from '../../src/pipeline/ragged-run.ts'
import type { InputLayout } from '../../src/pipeline/staged-run.ts'
import { allocateRows } from '../../src/pipeline/tensor-rows.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'

const loaded = (name: string, dtype: Dtype, ...shape: (number | null)[]): LoadedTensor => {
  return { declared: name, name, dtype, shape }
}

/** A model with padded frames, a plain tensor in between, padded ids and one mask for both. */
function model(outer: number, inner: number, length: number | null = null) {
  const inputs = [
    loaded('frames', 'float32', outer, length, inner),
    loaded('plain', 'float32', 2),
    loaded('ids', 'int64', length),
    loaded('mask', 'uint8', length),
  ]
  const padding = {
    frames: { with: -1, mask: 'mask', multipleOf: 4 },
    ids: { with: 9n, mask: 'mask', multipleOf: 4 },
  }
  const declared = {
    frames: { dtype: 'float32', shape: [outer, null, inner] },
    plain: { dtype: 'float32', shape: [2] },
    ids: { dtype: 'int64', shape: [null] },
  }
  const described = { uri: 'm.onnx', inputs: declared, padding, masks: ['mask'] } as unknown as OnnxModel
  return { inputs, plan: planPadding(described, inputs)! }
}

const numbers = (count: number, base: number) => Float32Array.from({ length: count }, (_, i) => base + i)

describe('padding', () => {
  it('G1, G2: every position of every input and mask is written, whatever the slot held', () => {
    const rows = fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 1, maxLength: 8 })
    fc.assert(fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), rows, fc.nat(3), check), {
      numRuns: 300,
    })
  })

  it('a batch is as long as its longest row, rounded up; or as the model says', () => {
    const { plan } = model(1, 1)
    assert.deepEqual(
      [1, 4, 5].map(longest => paddedLength(plan, longest)),
      [4, 4, 8],
    )
    assert.deepEqual(
      [1, 5].map(longest => paddedLength(model(1, 1, 16).plan, longest)),
      [16, 16],
    )
    assert.equal(model(2, 3).plan.bytesPerStep, 2 * 3 * 4 + 8 + 1)
  })

  it('lengths that the model fixes must be one', () => {
    const inputs = [loaded('ids', 'int64', 8), loaded('mask', 'int64', 16)]
    const described = {
      uri: 'm.onnx',
      inputs: { ids: { dtype: 'int64', shape: [null] } },
      padding: { ids: { with: 0n, mask: 'mask', multipleOf: 1 } },
      masks: ['mask'],
    } as unknown as OnnxModel
    assert.throws(() => planPadding(described, inputs), /m\.onnx: .* different fixed lengths, 8 and 16/)
  })
})

/** Stages rows of these lengths, fills a dirty batch behind `skipped` other rows, and looks at every element. */
function check(outer: number, inner: number, lengths: readonly number[], skipped: number): void {
  const { inputs, plan } = model(outer, inner)
  const specs = [
    { dtype: 'float32', shape: [outer, null, inner] },
    { dtype: 'float32', shape: [2] },
    { dtype: 'int64', shape: [null] },
  ] as const
  const layout: InputLayout = { names: ['frames', 'plain', 'ids'], specs, unnamed: false, padding: plan }
  const examples = lengths.map((length, row) => ({
    frames: numbers(outer * length * inner, 100 * row),
    plain: numbers(2, row),
    ids: BigInt64Array.from({ length }, (_, i) => BigInt(100 * row + i)),
  }))
  const run = new RaggedRun({
    work: {} as WorkBlock,
    layout,
    bucketKey: 'k',
    shapes: specs.map(({ shape }) => shape),
    capacity: lengths.length,
    keyed: false,
    measured: { bytes: false, size: false },
    nowMs: 0,
    route: 0,
    cohort: 0,
  })
  for (const [row, example] of examples.entries()) run.add(row, example, undefined, 0)
  for (const [row, example] of examples.entries()) assert.deepEqual(run.example(row), example)

  const length = paddedLength(plan, Math.max(...lengths))
  const total = skipped + lengths.length
  const shapes = shapesAt(plan, [...specs.map(({ shape }) => shape)], length)
  assert.deepEqual(shapes, [[outer, length, inner], [2], [length], [length]])
  const slot = inputs.map(({ dtype }, i) => {
    const elements = shapes[i]!.reduce((product, size) => product * size, 1)
    const data = allocateRows(dtype, total, elements) as NumericArray
    return (data as Float32Array).fill((dtype === 'int64' ? 77n : 77) as number)
  })
  run.fill(0, lengths.length, slot, skipped, length)
  const [frames, plain, ids, mask] = slot as unknown as [Float32Array, Float32Array, BigInt64Array, Uint8Array]
  for (const [row, own] of lengths.entries()) {
    const at = skipped + row
    assert.deepEqual(plain.subarray(2 * at, 2 * at + 2), examples[row]!.plain)
    for (let step = 0; step < length; step++) {
      const isReal = step < own
      assert.equal(mask[at * length + step], isReal ? 1 : 0, 'G2')
      assert.equal(ids[at * length + step], isReal ? examples[row]!.ids[step] : 9n, 'G1')
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          const got = frames[((at * outer + o) * length + step) * inner + i]
          assert.equal(got, isReal ? examples[row]!.frames[(o * own + step) * inner + i] : -1, 'G1')
        }
      }
    }
  }
  for (const data of [frames, ids, mask]) {
    for (let i = 0; i < (data.length / total) * skipped; i++) assert.equal(Number(data[i]), 77, 'rows of others')
  }
}
