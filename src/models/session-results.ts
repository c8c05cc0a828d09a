/** What native calls gave: each output held against what the model promises, padding cut off, parts of a batch joined. */
import { RunInferenceError } from '../errors.ts'
import type { LoadedTensor } from './executor.ts'
import type { CarriedOutput } from './lane-messages.ts'
import { resultCount } from './onnx-errors.ts'
import type { NativeTensor } from './onnxruntime.ts'
import { elementsOf, type NumericArray, showSpec, type TensorData } from './tensors.ts'

/** Throws RESULT_COUNT or SHAPE_MISMATCH when the output is not `size` rows of what was promised. */
export function checkResult(uri: string, output: LoadedTensor, tensor: NativeTensor, size: number): void {
  const { dims, type } = tensor
  if (dims[0] !== size) throw resultCount(uri, output.name, size, dims.length === 0 ? 'no' : String(dims[0]))
  const fits =
    type === output.dtype &&
    dims.length === output.shape.length + 1 &&
    output.shape.every((length, axis) => length === null || length === dims[axis + 1])
  if (fits) return
  throw mismatch(uri, output, `${type}[${dims.slice(1).join(',')}]`)
}

/** The first `rows` rows of an output that onnxruntime made. */
export function carryRows(tensor: NativeTensor, rows: number): CarriedOutput {
  const rowShape = tensor.dims.slice(1)
  const data = tensor.data as TensorData
  if (tensor.dims[0] === rows) return { data, rowShape }
  const length = rows * elementsOf(rowShape)!
  return { data: Array.isArray(data) ? data.slice(0, length) : (data as Uint8Array).subarray(0, length), rowShape }
}

/** The parts of one output, one behind the other. Throws SHAPE_MISMATCH when an open dimension came out differently. */
export function joinParts(uri: string, output: LoadedTensor, parts: readonly CarriedOutput[]): CarriedOutput {
  const first = parts[0]!
  if (parts.length === 1) return first
  const { rowShape } = first
  const other = parts.find(part => part.rowShape.join() !== rowShape.join())
  if (other) {
    const both = `[${rowShape.join(',')}] and [${other.rowShape.join(',')}] in calls of one batch`
    throw mismatch(uri, output, both)
  }
  if (Array.isArray(first.data)) return { data: parts.flatMap(({ data }) => data as readonly string[]), rowShape }
  const arrays = parts.map(({ data }) => data as Float32Array)
  const length = arrays.reduce((sum, array) => sum + array.length, 0)
  const joined = new (first.data.constructor as new (length: number) => NumericArray)(length) as Float32Array
  let at = 0
  for (const array of arrays) {
    joined.set(array, at)
    at += array.length
  }
  return { data: joined, rowShape }
}

function mismatch(uri: string, output: LoadedTensor, got: string): RunInferenceError {
  return new RunInferenceError(
    'SHAPE_MISMATCH',
    `${uri}: output '${output.name}': expected ${showSpec(output)} a row, got ${got}`,
  )
}
