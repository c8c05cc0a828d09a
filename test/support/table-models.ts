/** Models that look the first pixel up in a table: one whose table is too short fails for the brightest pictures, and only for them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeOnnx } from '../../bench/onnx-writer.ts'

const LABELS = 10
const INT64 = 7

/** x float32[batch, 64] → probabilities float32[batch, 10] and label int64[batch], which is the first pixel's last digit. `entries`: pixels from 0. */
export function writeTableModel(folder: string, name: string, entries: number): string {
  const table = new Float32Array(entries * LABELS)
  for (let pixel = 0; pixel < entries; pixel++) table[pixel * LABELS + (pixel % LABELS)] = 1
  const number = (named: string, value: bigint) =>
    ({ name: named, dtype: 'int64', shape: [1], data: BigInt64Array.of(value) }) as const
  const path = join(folder, `${name}.onnx`)
  const graph = {
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 64] }] as const,
    outputs: [
      { name: 'probabilities', dtype: 'float32', shape: ['batch', LABELS] },
      { name: 'label', dtype: 'int64', shape: ['batch'] },
    ] as const,
    constants: [
      number('zero', 0n),
      number('one', 1n),
      { name: 'table', dtype: 'float32', shape: [entries, LABELS], data: table } as const,
    ],
    nodes: [
      { op: 'Slice', inputs: ['x', 'zero', 'one', 'one'], outputs: ['first'] },
      { op: 'Cast', inputs: ['first'], outputs: ['pixel'], attributes: { to: INT64 } },
      { op: 'Gather', inputs: ['table', 'pixel'], outputs: ['rows'], attributes: { axis: 0 } },
      { op: 'Squeeze', inputs: ['rows', 'one'], outputs: ['probabilities'] },
      { op: 'ArgMax', inputs: ['probabilities'], outputs: ['label'], attributes: { axis: 1, keepdims: 0 } },
    ],
  }
  writeFileSync(path, encodeOnnx(graph))
  return path
}
