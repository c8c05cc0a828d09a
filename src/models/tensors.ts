/** Tensor types: the declared row shapes give the TypeScript types, and are the signature that a model must have. */

/** What a row of each dtype is. Rows of fixed-size numbers are views, valid until the functions that get them return. */
export interface Dtypes {
  float16: Float16Array
  float32: Float32Array
  float64: Float64Array
  uint8: Uint8Array
  int32: Int32Array
  int64: BigInt64Array
  string: readonly string[]
  /** No tensor: examples and results of handlers that users write, as they are. */
  value: readonly unknown[]
}
export type Dtype = keyof Dtypes
export type TensorData = Dtypes[Dtype]
/** Element types that have a fixed size, so that rows of them can lie in shared memory and travel raw. */
export type NumericDtype = Exclude<Dtype, 'string' | 'value'>
export type NumericArray = Dtypes[NumericDtype]

/** True for element types of a fixed size; rows of the others travel in messages. */
export function isNumeric(dtype: Dtype): dtype is NumericDtype {
  return dtype !== 'string' && dtype !== 'value'
}

interface ArrayType {
  readonly name: string
  new (length: number): NumericArray
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): NumericArray
}

/** The array that holds rows of each dtype. */
export const ARRAYS: Readonly<Record<NumericDtype, ArrayType>> = {
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
}

/** dtype and shape of one row, without the batch dimension; null = any length. `[]` is a scalar per row. */
export interface TensorSpec<D extends Dtype = Dtype> {
  readonly dtype: D
  readonly shape: readonly (number | null)[]
}

/** The row type of a set of named tensors. */
export type Row<S extends Readonly<Record<string, TensorSpec>>> = { readonly [N in keyof S]: Dtypes[S[N]['dtype']] }

export const BYTES_PER_ELEMENT: Readonly<Record<NumericDtype, number>> = {
  float16: 2,
  float32: 4,
  float64: 8,
  uint8: 1,
  int32: 4,
  int64: 8,
}

/** Elements of a row, or undefined while a dimension is open. */
export function elementsOf(shape: readonly (number | null)[]): number | undefined {
  let product = 1
  for (const size of shape) {
    if (size === null) return undefined
    product *= size
  }
  return product
}

/** `float32[10,null]`, for messages. */
export function showSpec(spec: TensorSpec): string {
  return `${spec.dtype}[${spec.shape.map(size => size ?? '?').join(',')}]`
}
