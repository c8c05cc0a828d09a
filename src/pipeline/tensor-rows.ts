import { RunInferenceError } from '../errors.ts'
import {
  ARRAYS,
  BYTES_PER_ELEMENT,
  type Dtype,
  elementsOf,
  type NumericArray,
  type TensorData,
  type TensorSpec,
} from '../models/tensors.ts'
import { isKV } from '../records.ts'

export const A_KEYED_ELEMENT = 'a keyed element: wrap the model in keyed(…), or make the example of its value'

/** Room for `rows` rows, not cleared: every row is written before it is read. */
export function allocateRows(dtype: Dtype, rows: number, elements: number): TensorData {
  if (dtype === 'string' || dtype === 'value') return new Array<string>(rows * elements)
  return new ARRAYS[dtype](Buffer.allocUnsafeSlow(rows * elements * BYTES_PER_ELEMENT[dtype]).buffer)
}

/** Copies rows between arrays of one dtype; counts and positions are in elements. */
export function copyRows(from: TensorData, start: number, count: number, into: TensorData, at: number): void {
  if (Array.isArray(from)) {
    for (let i = 0; i < count; i++) (into as string[])[at + i] = from[start + i] as string
  } else {
    const source = from as NumericArray
    ;(into as Float32Array).set(source.subarray(start, start + count) as Float32Array, at)
  }
}

/** One row as a view (a copy for strings); of dtype `value`, the element itself. */
export function rowView(data: TensorData, start: number, elements: number, dtype?: Dtype): unknown {
  if (dtype === 'value') return (data as readonly unknown[])[start]
  return Array.isArray(data)
    ? data.slice(start, start + elements)
    : (data as NumericArray).subarray(start, start + elements)
}

/** The shape of this row, its open dimension filled in from the number of elements. Throws SHAPE_MISMATCH. */
export function shapeOfRow(name: string, spec: TensorSpec, value: unknown): readonly number[] {
  if (spec.dtype === 'value') return []
  const length = lengthOf(name, spec, value)
  const elements = elementsOf(spec.shape)
  if (elements !== undefined) {
    if (length !== elements) throw mismatch(name, spec, `${length} elements`)
    return spec.shape as readonly number[]
  }
  const step = elementsOf(spec.shape.filter(size => size !== null))!
  if (length === 0 || length % step !== 0) throw mismatch(name, spec, `${length} elements`)
  return spec.shape.map(size => size ?? length / step)
}

function lengthOf(name: string, spec: TensorSpec, value: unknown): number {
  if (typeof value === 'string' && spec.dtype === 'string') return 1
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
  if (!isList) throw mismatch(name, spec, isKV(value) ? A_KEYED_ELEMENT : value === null ? 'null' : typeof value)
  return (value as ArrayLike<unknown>).length
}

/** Writes one row whose length was checked. Throws SHAPE_MISMATCH for elements of another type; never writes a silent NaN. */
export function writeRow(name: string, spec: TensorSpec, value: unknown, into: TensorData, at: number): void {
  if (spec.dtype === 'value') {
    ;(into as unknown[])[at] = value
    return
  }
  const wanted = spec.dtype === 'string' ? 'string' : spec.dtype === 'int64' ? 'bigint' : 'number'
  const isFloat = spec.dtype === 'float32' || spec.dtype === 'float64' || spec.dtype === 'float16'
  if (isCopied(value, into, isFloat)) {
    ;(into as Float32Array).set(value as Float32Array, at)
    return
  }
  if (isFloat && Array.isArray(value)) {
    writeFloats(name, spec, value, into as Float32Array, at)
    return
  }
  const target = into as unknown[]
  if (typeof value === 'string') {
    target[at] = value
    return
  }
  const list = value as ArrayLike<unknown>
  for (let i = 0; i < list.length; i++) {
    const element = list[i]
    if (typeof element !== wanted) throw wrongType(name, spec, element, i)
    target[at + i] = element
    // A whole number that does not fit its type would silently become another one.
    if (!isFloat && target[at + i] !== element) throw mismatch(name, spec, `${element} at element ${i}`)
  }
}

/** The usual case by itself: a loop that the compiler sees with one kind of array does half the work. */
function writeFloats(name: string, spec: TensorSpec, list: readonly unknown[], into: Float32Array, at: number): void {
  for (let i = 0; i < list.length; i++) {
    const element = list[i]
    if (typeof element !== 'number') throw wrongType(name, spec, element, i)
    into[at + i] = element
  }
}

/** True for a typed array of the same type; for floats any array of numbers, since rounding is all that can happen. */
function isCopied(value: unknown, into: TensorData, isFloat: boolean): boolean {
  if (!ArrayBuffer.isView(value) || !ArrayBuffer.isView(into)) return false
  if (value instanceof (into.constructor as new () => TensorData)) return true
  return isFloat && !(value instanceof BigInt64Array || value instanceof BigUint64Array)
}

function wrongType(name: string, spec: TensorSpec, element: unknown, i: number): RunInferenceError {
  return mismatch(name, spec, `${String(element)} (${typeof element}) at element ${i}`)
}

/** A row that does not fit its tensor; `name` is empty where the model takes one bare tensor. */
export function mismatch(name: string, spec: TensorSpec, got: string): RunInferenceError {
  const tensor = name === '' ? 'the input tensor' : `input tensor "${name}"`
  const shape = spec.shape.map(size => size ?? '?').join(',')
  return new RunInferenceError('SHAPE_MISMATCH', `${tensor}: expected ${spec.dtype}[${shape}], got ${got}`)
}
