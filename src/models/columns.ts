/**
 * Named fields of a record as the row of a tensor, and the row of a result as named fields: functions for `withPreprocess`
 * and `withPostprocess`. What they throw names the field, and makes a dead letter FUNCTION_THREW or POSTPROCESS_THREW.
 */
import { show } from '../problem.ts'
import { isFloat, putCell } from './cells.ts'
import { ARRAYS, type Dtypes, type NumericDtype } from './tensors.ts'

/** What a field may hold: a number, a yes or no (1 or 0), and for int64 a BigInt. */
export type Cell = number | bigint | boolean

/** The records that `toTensor` takes: every column a cell; those with a default may also be null or left out. */
export type ColumnsOf<N extends string, D> = { readonly [K in Exclude<N, keyof D>]: Cell } & {
  readonly [K in N & keyof D]?: Cell | null
}

export interface ToTensorOptions<N extends string, D extends { readonly [K in N]?: number }, T extends NumericDtype> {
  /** Element type of the row; default `float32`. */
  readonly dtype?: T
  /** What stands for a field that is null, left out, or not a number (NaN). NaN is allowed where the model knows it. */
  readonly defaults?: D
}

/**
 * A function that makes a tensor row of a record's fields, in the order of the names. It throws TypeError for a field that is
 * missing, null without a default, not a number, or not one that the element type can hold; nothing is cut or wrapped.
 */
export function toTensor<
  const N extends string,
  const D extends { readonly [K in N]?: number } = Record<never, never>,
  T extends NumericDtype = 'float32',
>(names: readonly N[], options: ToTensorOptions<N, D, T> = {}): (record: ColumnsOf<N, D>) => Dtypes[T] {
  const { dtype = 'float32' as T, defaults = {} as D } = options
  const standIns: Readonly<Record<string, number | undefined>> = defaults
  const Row = ARRAYS[dtype]
  const rounds = isFloat(dtype)
  return function toTensorRow(record) {
    if (typeof record !== 'object' || record === null) {
      throw new TypeError(`expected a record with the fields ${names.join(', ')}, got ${show(record)}`)
    }
    const row = new Row(names.length)
    for (let i = 0; i < names.length; i++) {
      const value = (record as Readonly<Record<string, unknown>>)[names[i]!]
      const isMissing = value === undefined || value === null || Number.isNaN(value)
      const standIn = isMissing ? standIns[names[i]!] : undefined
      if (standIn !== undefined && Number.isNaN(standIn)) {
        row[i] = standIn
        continue
      }
      const cell = standIn ?? (typeof value === 'boolean' ? Number(value) : value)
      if (!putCell(row, i, cell, rounds)) throw refused(names, i, dtype, value)
    }
    return row as Dtypes[T]
  }
}

/**
 * A function that gives the elements of a tensor row as named fields, in the order of the names: the probabilities of classes,
 * for one. It throws RangeError when the row has another number of elements.
 */
export function fromTensor<const N extends string>(names: readonly N[]): <V>(row: ArrayLike<V>) => Record<N, V> {
  return function namedFields<V>(row: ArrayLike<V>) {
    if (row.length !== names.length) {
      throw new RangeError(`expected a row of ${names.length} elements (${names.join(', ')}), got ${row.length}`)
    }
    const fields = {} as Record<N, V>
    for (let i = 0; i < names.length; i++) fields[names[i]!] = row[i]!
    return fields
  }
}

/** A function that names the class that a row with one label, its position in the list, says. It throws RangeError for another. */
export function classOf<const N extends string>(names: readonly N[]): (label: ArrayLike<number | bigint>) => N {
  return function className(label) {
    const name = label.length === 1 ? names[Number(label[0])] : undefined
    if (name !== undefined) return name
    const got = Array.from(label, String).join(', ')
    throw new RangeError(`expected a row with one label from 0 to ${names.length - 1}, got [${got}]`)
  }
}

function refused(names: readonly string[], i: number, expected: string, got: unknown): TypeError {
  return new TypeError(`field ${names[i]} (${i + 1} of ${names.length}): expected ${expected}, got ${show(got)}`)
}
