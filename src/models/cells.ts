import type { NumericArray, NumericDtype } from './tensors.ts'

/** True for element types that round what they hold. */
export const isFloat = (dtype: NumericDtype): boolean => dtype.startsWith('float')

/**
 * Puts a number into a row; `rounds`: of a float type. Floats are rounded, which they are for; nothing is cut, wrapped or made
 * infinite. False when the value is no number, or not one that the type can hold.
 */
export function putCell(row: NumericArray, i: number, value: unknown, rounds: boolean): boolean {
  if (typeof value !== 'number' && typeof value !== 'bigint') return false
  if (row instanceof BigInt64Array) {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return false
    row[i] = BigInt(value)
    return row[i] === BigInt(value)
  }
  row[i] = Number(value)
  return rounds ? Number.isFinite(row[i]) : row[i] === Number(value)
}
