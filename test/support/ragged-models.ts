/** Small models whose results are wrong wherever a mask is: means over the open dimension, padding left out by the mask. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeOnnx, type OnnxGraph, type OnnxNode } from '../../bench/onnx-writer.ts'

const FLOAT32 = 1
const axis = (name: string, value: number) =>
  ({ name, dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) }) as const
const cast = (from: string, to: string): OnnxNode => {
  return { op: 'Cast', inputs: [from], outputs: [to], attributes: { to: FLOAT32 } }
}
const sum = (of: string, axes: string, to: string): OnnxNode => {
  return { op: 'ReduceSum', inputs: [of, axes], outputs: [to], attributes: { keepdims: 0 } }
}

export interface MaskedMean {
  readonly maskType?: 'int64' | 'float32' | 'uint8'
  /** Fixes the length in the model. */
  readonly length?: number
  /** Fixes the rows of a call in the model. */
  readonly rows?: number
  /** A second input, which is added to the ids: types of tokens, for example. */
  readonly types?: boolean
}

/** ids[batch, n] int64 and attention_mask[batch, n] → mean[batch] of the real ids, and masked[batch, n]. */
export function writeMaskedMean(
  folder: string,
  { maskType = 'int64', length, rows, types = false }: MaskedMean = {},
): string {
  const shape = [rows ?? 'batch', length ?? 'n'] as const
  const ids = { name: 'ids', dtype: 'int64', shape } as const
  const graph: OnnxGraph = {
    inputs: [ids, ...(types ? [{ ...ids, name: 'types' }] : []), { name: 'attention_mask', dtype: maskType, shape }],
    outputs: [
      { name: 'mean', dtype: 'float32', shape: [rows ?? 'batch'] },
      { name: 'masked', dtype: 'float32', shape },
    ],
    constants: [axis('one', 1)],
    nodes: [
      ...(types ? [{ op: 'Add', inputs: ['ids', 'types'], outputs: ['both'] }] : []),
      cast(types ? 'both' : 'ids', 'numbers'),
      cast('attention_mask', 'mask'),
      { op: 'Mul', inputs: ['numbers', 'mask'], outputs: ['masked'] },
      sum('masked', 'one', 'total'),
      sum('mask', 'one', 'count'),
      { op: 'Div', inputs: ['total', 'count'], outputs: ['mean'] },
    ],
  }
  return write(folder, `mean-${maskType}-${rows}-${length}-${types}.onnx`, graph)
}

/** frames[batch, 2, n, 3] float32 and mask[batch, n] → sums[batch, 2, 3] over n: the open dimension is an inner one. */
export function writeMaskedFrames(folder: string): string {
  return write(folder, 'frames.onnx', {
    inputs: [
      { name: 'frames', dtype: 'float32', shape: ['batch', 2, 'n', 3] },
      { name: 'mask', dtype: 'float32', shape: ['batch', 'n'] },
    ],
    outputs: [{ name: 'sums', dtype: 'float32', shape: ['batch', 2, 3] }],
    constants: [{ name: 'around', dtype: 'int64', shape: [2], data: BigInt64Array.of(1n, 3n) }, axis('two', 2)],
    nodes: [
      { op: 'Unsqueeze', inputs: ['mask', 'around'], outputs: ['wide'] },
      { op: 'Mul', inputs: ['frames', 'wide'], outputs: ['masked'] },
      sum('masked', 'two', 'sums'),
    ],
  })
}

function write(folder: string, name: string, graph: OnnxGraph): string {
  const path = join(folder, name)
  writeFileSync(path, encodeOnnx(graph))
  return path
}
