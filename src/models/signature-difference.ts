import type { LoadedTensor, Signature } from './executor.ts'

/** A tensor that is not what was expected; `got` is undefined where it is missing. */
export interface TensorDifference {
  readonly side: 'input' | 'output'
  /** As declared; '' where the declaration names none. */
  readonly name: string
  readonly expected: Pick<LoadedTensor, 'dtype' | 'shape'> | undefined
  readonly got: Pick<LoadedTensor, 'dtype' | 'shape'> | undefined
}

/**
 * What a model has otherwise than the one that a graph was compiled with: declared names in order, dtypes, row shapes. Empty: it can take
 * its place. An input may leave a size open that was fixed, and an output may fix one that was open: nobody notices.
 */
export function signatureDifference(expected: Signature, got: Signature): readonly TensorDifference[] {
  return [
    ...sideDifference('input', expected.inputs, got.inputs),
    ...sideDifference('output', expected.outputs, got.outputs),
  ]
}

function sideDifference(
  side: TensorDifference['side'],
  expected: readonly LoadedTensor[],
  got: readonly LoadedTensor[],
): TensorDifference[] {
  const differences: TensorDifference[] = []
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const [wanted, there] = [expected[i], got[i]]
    if (wanted && there && wanted.declared === there.declared && fits(side, wanted, there)) continue
    if (wanted && there && wanted.declared !== there.declared) {
      differences.push({ side, name: wanted.declared, expected: wanted, got: undefined })
      differences.push({ side, name: there.declared, expected: undefined, got: there })
    } else differences.push({ side, name: (wanted ?? there)!.declared, expected: wanted, got: there })
  }
  return differences
}

function fits(side: TensorDifference['side'], expected: LoadedTensor, got: LoadedTensor): boolean {
  if (expected.dtype !== got.dtype || expected.shape.length !== got.shape.length) return false
  return expected.shape.every((size, axis) => {
    const there = got.shape[axis]
    return size === there || (side === 'input' ? there === null : size === null)
  })
}

/** One line for people: `output 'probabilities': expected float32[10], got float32[5]`. */
export function showDifference({ side, name, expected, got }: TensorDifference): string {
  return `${side} '${name}': expected ${showTensor(expected)}, got ${showTensor(got)}`
}

function showTensor(tensor: Pick<LoadedTensor, 'dtype' | 'shape'> | undefined): string {
  if (!tensor) return 'none'
  return `${tensor.dtype}[${tensor.shape.map(size => size ?? '?').join(',')}]`
}
