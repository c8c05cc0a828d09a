/** Small ONNX files, written on the spot, for what no shipped model has: fixed batch dimensions, weights in other files. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { encodeOnnx, type OnnxGraph } from '../../bench/onnx-writer.ts'

/** x[rows, 2] float32 → each row plus the sum of all rows: a row that should not be there shows in every result. */
export function writeMixingModel(folder: string, rows: number): string {
  const x = { name: 'x', dtype: 'float32', shape: [rows, 2] } as const
  const graph = {
    inputs: [x],
    outputs: [{ ...x, name: 'y' }],
    constants: [{ name: 'axes', dtype: 'int64', shape: [1], data: BigInt64Array.of(0n) }] as const,
    nodes: [
      { op: 'ReduceSum', inputs: ['x', 'axes'], outputs: ['sum'], attributes: { keepdims: 1 } },
      { op: 'Add', inputs: ['x', 'sum'], outputs: ['y'] },
    ],
  }
  return write(folder, `mixing-${rows}.onnx`, graph)
}

/** words[rows, 2] string and x[rows, n] float32 → the same, with n open in both and rows fixed. */
export function writeFixedEcho(folder: string, rows: number): string {
  const inputs = [
    { name: 'words', dtype: 'string', shape: [rows, 2] },
    { name: 'x', dtype: 'float32', shape: [rows, 'n'] },
  ] as const
  const graph = {
    inputs,
    outputs: inputs.map(tensor => ({ ...tensor, name: `same_${tensor.name}` })),
    constants: [],
    nodes: inputs.map(({ name }) => ({ op: 'Identity', inputs: [name], outputs: [`same_${name}`] })),
  }
  return write(folder, `echo-${rows}.onnx`, graph)
}

/** x[1, 4] float32 → its first elements, as many as the first one says: one row a call, of a length that only the model knows. */
export function writeOwnLengthModel(folder: string): string {
  const number = (name: string, value: bigint) =>
    ({ name, dtype: 'int64', shape: [1], data: BigInt64Array.of(value) }) as const
  const graph = {
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, 4] }] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, 'length'] }] as const,
    constants: [number('zero', 0n), number('one', 1n)],
    nodes: [
      { op: 'Slice', inputs: ['x', 'zero', 'one', 'one'], outputs: ['first'] },
      { op: 'Reshape', inputs: ['first', 'one'], outputs: ['list'] },
      { op: 'Cast', inputs: ['list'], outputs: ['length'], attributes: { to: 7 } },
      { op: 'Slice', inputs: ['x', 'zero', 'length', 'one'], outputs: ['y'] },
    ],
  }
  return write(folder, 'own-length.onnx', graph)
}

/** x[batch, 1] float32 → x + 1: on its way a row takes a mebibyte. */
export function writeWideModel(folder: string): string {
  const width = 262_144
  const graph = {
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 1] }] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 1] }] as const,
    constants: [
      { name: 'parts', dtype: 'float32', shape: [1, width], data: new Float32Array(width).fill(1) },
      { name: 'zero', dtype: 'int64', shape: [1], data: BigInt64Array.of(0n) },
      { name: 'one', dtype: 'int64', shape: [1], data: BigInt64Array.of(1n) },
    ] as const,
    nodes: [
      { op: 'Add', inputs: ['x', 'parts'], outputs: ['wide'] },
      { op: 'Slice', inputs: ['wide', 'zero', 'one', 'one'], outputs: ['y'] },
    ],
  }
  return write(folder, 'wide.onnx', graph)
}

/** a[2, 1] and b[8, 1] float32: no batch fits both. */
export function writeContradictoryModel(folder: string): string {
  const graph = {
    inputs: [
      { name: 'a', dtype: 'float32', shape: [2, 1] },
      { name: 'b', dtype: 'float32', shape: [8, 1] },
    ] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: ['rows', 1] }] as const,
    constants: [],
    nodes: [{ op: 'Concat', inputs: ['a', 'b'], outputs: ['y'], attributes: { axis: 0 } }],
  }
  return write(folder, 'contradictory.onnx', graph)
}

/** The weights of `writeExternalModel`, as its file of weights holds them. */
export const WEIGHTS = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)

/**
 * x[batch, 4] float32 → x·w + b with w [4, 2] in `location`, behind 16 bytes of something else. Neither file of weights nor
 * its folder is written: `writeWeights` does that.
 */
export function writeExternalModel(folder: string, location: string, more: Readonly<Record<string, string>> = {}) {
  const graph = {
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 4] }] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 2] }] as const,
    constants: [
      {
        name: 'w',
        dtype: 'float32',
        shape: [4, 2],
        data: WEIGHTS,
        external: { location, offset: '16', length: String(WEIGHTS.byteLength), ...more },
      },
      { name: 'b', dtype: 'float32', shape: [2], data: Float32Array.of(100, 200) },
    ] as const,
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['product'] },
      { op: 'Add', inputs: ['product', 'b'], outputs: ['y'] },
    ],
  }
  return write(folder, 'external.onnx', graph)
}

/** The file of weights; with `bytes`, only its beginning. */
export function writeWeights(folder: string, location: string, bytes = 16 + WEIGHTS.byteLength): string {
  const path = join(folder, location)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, Buffer.concat([Buffer.alloc(16, 0xff), Buffer.from(WEIGHTS.buffer)]).subarray(0, bytes))
  return path
}

function write(folder: string, name: string, graph: OnnxGraph): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  writeFileSync(path, encodeOnnx(graph))
  return path
}
