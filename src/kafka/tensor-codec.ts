/**
 * Raw tensor rows: the elements of one row, little-endian, one behind the other, without any framing. Each function gives
 * one object that is both the tensor's declaration in a model's signature and the codec of a topic that carries such rows.
 */
import { RunInferenceError } from '../errors.ts'
import {
  ARRAYS,
  BYTES_PER_ELEMENT,
  type Dtype,
  type Dtypes,
  elementsOf,
  type NumericArray,
  type NumericDtype,
  showSpec,
  type TensorSpec,
} from '../models/tensors.ts'
import type { Codec, RowDecoder, RowEncoder } from './codec.ts'

/** A tensor declaration that is also the codec of raw rows of it. */
export interface TensorCodec<D extends NumericDtype> extends TensorSpec<D>, Codec<Dtypes[D]> {}

/** Rows of 16-bit floats. */
export const float16 = (...shape: (number | null)[]): TensorCodec<'float16'> => tensor('float16', shape)
/** Rows of 32-bit floats. Dimensions in order, without the batch dimension; null = any length; none = one number per row. */
export const float32 = (...shape: (number | null)[]): TensorCodec<'float32'> => tensor('float32', shape)
/** Rows of 64-bit floats. */
export const float64 = (...shape: (number | null)[]): TensorCodec<'float64'> => tensor('float64', shape)
/** Rows of unsigned bytes. */
export const uint8 = (...shape: (number | null)[]): TensorCodec<'uint8'> => tensor('uint8', shape)
/** Rows of 32-bit integers. */
export const int32 = (...shape: (number | null)[]): TensorCodec<'int32'> => tensor('int32', shape)
/** Rows of 64-bit integers (bigint). */
export const int64 = (...shape: (number | null)[]): TensorCodec<'int64'> => tensor('int64', shape)
/** Rows of strings, for a model's signature only: `utf8()` and `json()` are codecs of text. */
export const string = (...shape: (number | null)[]): TensorSpec<'string'> => checkedSpec('string', shape)

function tensor<D extends NumericDtype>(dtype: D, shape: readonly (number | null)[]): TensorCodec<D> {
  const spec = checkedSpec(dtype, shape)
  return {
    ...spec,
    label: showSpec(spec),
    openDecoder: async ({ topic, field }) => decoder(spec, `The ${field} on topic ${topic}`),
    openEncoder: async ({ topic, field }) => encoder(spec, `The ${field} for topic ${topic}`),
  }
}

function checkedSpec<D extends Dtype>(dtype: D, shape: readonly (number | null)[]): TensorSpec<D> {
  const bad = shape.find(size => size !== null && !(Number.isSafeInteger(size) && size > 0))
  if (bad !== undefined) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${dtype}(${shape.join(', ')}): expected positive whole dimensions or null, got ${bad}`,
    )
  }
  return { dtype, shape }
}

/** How many elements a row may have: exactly `elements`, or, while dimensions are open, any multiple of the fixed ones. */
function sizes(spec: TensorSpec<NumericDtype>) {
  const elements = elementsOf(spec.shape)
  const step = elementsOf(spec.shape.filter(size => size !== null))!
  return {
    fits: (count: number) => (elements === undefined ? count % step === 0 : count === elements),
    expected: elements === undefined ? `a multiple of ${step} elements` : `${elements} elements`,
    isFixed: elements !== undefined,
  }
}

function decoder<D extends NumericDtype>(spec: TensorSpec<D>, where: string): RowDecoder<Dtypes[D]> {
  const { fits, expected, isFixed } = sizes(spec)
  const bytesPerElement = BYTES_PER_ELEMENT[spec.dtype]
  const Rows = ARRAYS[spec.dtype]
  return {
    ...(isFixed ? { tensor: spec } : {}),
    decode: (bytes, start, end) => {
      const count = (end - start) / bytesPerElement
      if (!fits(count)) {
        throw new RunInferenceError(
          'DECODE_SIZE',
          `${where}: expected ${expected} of ${bytesPerElement} bytes for ${showSpec(spec)}, got ${end - start} bytes`,
        )
      }
      const at = bytes.byteOffset + start
      if (at % bytesPerElement === 0) return new Rows(bytes.buffer, at, count) as Dtypes[D]
      const copy = new Rows(count)
      new Uint8Array(copy.buffer).set(bytes.subarray(start, end))
      return copy as Dtypes[D]
    },
  }
}

function encoder<D extends NumericDtype>(spec: TensorSpec<D>, where: string): RowEncoder<Dtypes[D]> {
  const { fits, expected, isFixed } = sizes(spec)
  const Rows = ARRAYS[spec.dtype]
  const write = rowWriter(spec.dtype)
  return {
    ...(isFixed ? { tensor: spec } : {}),
    encode: (value, into, at) => {
      if (!(value instanceof Rows) || !fits(value.length)) {
        const got = ArrayBuffer.isView(value)
          ? `${value.constructor.name} of ${(value as NumericArray).length}`
          : typeof value
        throw new RunInferenceError('ENCODE_SCHEMA', `${where}: expected a ${Rows.name} of ${expected}, got ${got}`)
      }
      return write(value, into, at)
    },
  }
}

/** `writeRow` for one type. Making a view costs as much as copying a short row, so that of the last memory is kept. */
function rowWriter(dtype: NumericDtype): (row: NumericArray, into: Buffer, at: number) => number {
  const size = BYTES_PER_ELEMENT[dtype]
  const Rows = ARRAYS[dtype]
  let memory: ArrayBufferLike | undefined
  let elements = new Rows(0)
  return (row, into, at) => {
    const end = at + row.byteLength
    const start = into.byteOffset + at
    if (end > into.length || start % size !== 0) return writeRow(row, into, at)
    if (memory !== into.buffer) {
      memory = into.buffer
      elements = new Rows(memory, 0, Math.floor(memory.byteLength / size))
    }
    ;(elements as Float32Array).set(row as Float32Array, start / size)
    return end
  }
}

/** Copies a row's bytes; see `RowEncoder.encode`. */
export function writeRow(row: NumericArray, into: Buffer, at: number): number {
  const end = at + row.byteLength
  if (end > into.length) return -row.byteLength
  into.set(new Uint8Array(row.buffer, row.byteOffset, row.byteLength), at)
  return end
}

/** True for the arrays that raw rows are made of. */
export function isNumericArray(value: unknown): value is NumericArray {
  return ArrayBuffer.isView(value) && Object.values(ARRAYS).some(Rows => value instanceof Rows)
}

/** True when the array holds elements of this type. */
export function hasDtype(value: NumericArray, dtype: NumericDtype): boolean {
  return value instanceof ARRAYS[dtype]
}
