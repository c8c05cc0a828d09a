/** Specs of the models that the tests run, and small ONNX files written on the spot. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeOnnx } from '../../bench/onnx-writer.ts'
import type { BatchSlot, OnnxSpec } from '../../src/models/executor.ts'
import type { TensorSpec } from '../../src/models/tensors.ts'

export function tensor<D extends TensorSpec['dtype']>(dtype: D, ...shape: (number | null)[]): TensorSpec<D> {
  return { dtype, shape }
}

export function modelSpec(
  uri: string,
  inputs: OnnxSpec['inputs'],
  outputs: OnnxSpec['outputs'],
  change: Partial<OnnxSpec> = {},
): OnnxSpec {
  return {
    identifier: uri,
    kind: 'onnx',
    uri,
    inputs,
    outputs,
    providers: ['cpu'],
    providerPolicy: 'preferred',
    intraOpNumThreads: 1,
    sessionOptions: {},
    warmUpRows: [2],
    isolation: 'thread',
    ...change,
  }
}

export function digitsSpec(uri = 'models/digits-mlp-v1.onnx', change: Partial<OnnxSpec> = {}): OnnxSpec {
  const outputs = { probabilities: tensor('float32', 10), label: tensor('int64') }
  return modelSpec(uri, { x: tensor('float32', 64) }, outputs, change)
}

export function langidSpec(): OnnxSpec {
  const outputs = { probabilities: tensor('float32', 12), label: tensor('int64') }
  return modelSpec('models/langid-int64.onnx', { ids: tensor('int64', 32) }, outputs)
}

export interface Digit {
  readonly id: string
  readonly pixels: readonly number[]
}

export interface Expectation {
  readonly id: string
  readonly label: number
  readonly probabilities: readonly number[]
}

export function readNdjson<T>(path: string): T[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as T)
}

/** Writes rows of the only input. */
export function fill(slot: BatchSlot, rows: readonly (readonly number[])[]): void {
  const width = rows[0]!.length
  const [x] = slot.prepare(rows.length, [[width]])
  for (const [index, row] of rows.entries()) (x as Float32Array).set(row, index * width)
}

/** x[batch, n] float32 → y = x + x, with n open in both. */
export function writeOpenModel(folder: string): string {
  const x = { name: 'x', dtype: 'float32', shape: ['batch', 'n'] } as const
  const graph = {
    inputs: [x],
    outputs: [{ ...x, name: 'y' }],
    constants: [],
    nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
  }
  return write(folder, 'open.onnx', encodeOnnx(graph))
}

/** x[batch, 4] float32 → its first `keep` rows only: more rows than that get too few results. */
export function writeDroppingModel(folder: string, keep: number): string {
  const int64 = (name: string, value: number) =>
    ({ name, dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) }) as const
  const graph = {
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 4] }] as const,
    outputs: [{ name: 'y', dtype: 'float32', shape: ['kept', 4] }] as const,
    constants: [int64('starts', 0), int64('ends', keep), int64('axes', 0)],
    nodes: [
      { op: 'Slice', inputs: ['x', 'starts', 'ends', 'axes'], outputs: ['kept_rows'] },
      { op: 'Relu', inputs: ['kept_rows'], outputs: ['y'] },
    ],
  }
  return write(folder, `keep-${keep}.onnx`, encodeOnnx(graph))
}

/** words[batch, 2] string → the same strings. */
export function writeStringModel(folder: string): string {
  const words = { name: 'words', dtype: 'string', shape: ['batch', 2] } as const
  const graph = {
    inputs: [words],
    outputs: [{ ...words, name: 'same' }],
    constants: [],
    nodes: [{ op: 'Identity', inputs: ['words'], outputs: ['same'] }],
  }
  return write(folder, 'strings.onnx', encodeOnnx(graph))
}

/** a[batch, 2] float32 and b[batch, 3] float32 → b's rows behind a's. */
export function writeTwoInputModel(folder: string): string {
  const graph = {
    inputs: [
      { name: 'a', dtype: 'float32', shape: ['batch', 2] },
      { name: 'b', dtype: 'float32', shape: ['batch', 3] },
    ] as const,
    outputs: [{ name: 'both', dtype: 'float32', shape: ['batch', 5] }] as const,
    constants: [],
    nodes: [{ op: 'Concat', inputs: ['a', 'b'], outputs: ['both'], attributes: { axis: 1 } }],
  }
  return write(folder, 'two.onnx', encodeOnnx(graph))
}

function write(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
