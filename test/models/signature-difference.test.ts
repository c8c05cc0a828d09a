import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LoadedTensor } from '../../src/models/executor.ts'
import { showDifference, signatureDifference } from '../../src/models/signature-difference.ts'
import type { Dtype } from '../../src/models/tensors.ts'

const tensor = (declared: string, dtype: Dtype, ...shape: (number | null)[]): LoadedTensor => {
  return { declared, name: declared || 'whatever', dtype, shape }
}
const x = tensor('x', 'float32', 64)
const y = tensor('y', 'float32', 10)

describe('the difference of two signatures', () => {
  const shown = (inputs: LoadedTensor[], outputs: LoadedTensor[]) =>
    signatureDifference({ inputs: [x], outputs: [y] }, { inputs, outputs }).map(showDifference)

  it('is none for the same names, types and row shapes, whatever the model calls what the declaration leaves unnamed', () => {
    assert.deepEqual(shown([x], [y]), [])
    const unnamed = { ...tensor('', 'float32', 64), name: 'a' }
    assert.deepEqual(
      signatureDifference({ inputs: [unnamed], outputs: [] }, { inputs: [{ ...unnamed, name: 'b' }], outputs: [] }),
      [],
    )
  })

  it('names every tensor of another width or type, and those that are missing or more', () => {
    assert.deepEqual(shown([tensor('x', 'float32', 32)], [tensor('y', 'float64', 10)]), [
      "input 'x': expected float32[64], got float32[32]",
      "output 'y': expected float32[10], got float64[10]",
    ])
    assert.deepEqual(shown([x], []), ["output 'y': expected float32[10], got none"])
    assert.deepEqual(shown([x, tensor('z', 'int64')], [y]), ["input 'z': expected none, got int64[]"])
    assert.deepEqual(shown([tensor('z', 'float32', 64)], [y]), [
      "input 'x': expected float32[64], got none",
      "input 'z': expected none, got float32[64]",
    ])
    assert.deepEqual(shown([tensor('x', 'float32', 8, 8)], [y]), ["input 'x': expected float32[64], got float32[8,8]"])
  })

  it('an input may take more than before, and an output give less than before, and not the other way round', () => {
    assert.deepEqual(shown([tensor('x', 'float32', null)], [y]), [])
    assert.deepEqual(shown([x], [tensor('y', 'float32', null)]), ["output 'y': expected float32[10], got float32[?]"])
    const open = { inputs: [tensor('x', 'float32', null)], outputs: [tensor('y', 'float32', null)] }
    assert.deepEqual(signatureDifference(open, { inputs: open.inputs, outputs: [y] }), [])
    assert.deepEqual(signatureDifference(open, { inputs: [x], outputs: [y] }).map(showDifference), [
      "input 'x': expected float32[?], got float32[64]",
    ])
  })
})
