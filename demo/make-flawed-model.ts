/**
 * The model of the night shift, models/digits-mlp-ink.onnx: v1, which is made surer of itself the more ink there is, by a table
 * that has no entry for the pictures with most ink. For these it fails, for all others it says what v1 says. The same weights give
 * the same bytes. `node --conditions=kri-source demo/make-flawed-model.ts` writes it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { readFloatConstants } from '../bench/onnx-reader.ts'
import { encodeOnnx, type OnnxConstant } from '../bench/onnx-writer.ts'
import { FIRST_MODEL, FLAWED_MODEL, MOST_INK } from './digit-models.ts'

const INT64 = 7
/** Ink of one entry of the table. */
const INK_STEP = 50
/** Made up; by the entry. */
const SURENESS = Float32Array.from({ length: MOST_INK / INK_STEP }, (_, entry) => 1 + entry / 16)

export function encodeFlawedModel(first: Uint8Array): Uint8Array {
  const weights = readFloatConstants(first)
  const constant = (name: string, shape: readonly number[], data: Float32Array | BigInt64Array): OnnxConstant =>
    ({ name, dtype: data instanceof Float32Array ? 'float32' : 'int64', shape, data }) as const
  return encodeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 64] }],
    outputs: [
      { name: 'probabilities', dtype: 'float32', shape: ['batch', 10] },
      { name: 'label', dtype: 'int64', shape: ['batch'] },
    ],
    constants: [
      ...[...weights].map(([name, { shape, data }]) => constant(name, shape, data)),
      constant('sureness', [SURENESS.length], SURENESS),
      constant('inkStep', [], Float32Array.of(INK_STEP)),
      constant('pixels', [1], BigInt64Array.of(1n)),
    ],
    nodes: [
      { op: 'Mul', inputs: ['x', 'scale'], outputs: ['xs'] },
      { op: 'Gemm', inputs: ['xs', 'w0', 'b0'], outputs: ['g0'] },
      { op: 'Relu', inputs: ['g0'], outputs: ['r0'] },
      { op: 'Gemm', inputs: ['r0', 'w1', 'b1'], outputs: ['g1'] },
      { op: 'ReduceSum', inputs: ['x', 'pixels'], outputs: ['ink'], attributes: { keepdims: 1 } },
      { op: 'Div', inputs: ['ink', 'inkStep'], outputs: ['inkSteps'] },
      { op: 'Cast', inputs: ['inkSteps'], outputs: ['entry'], attributes: { to: INT64 } },
      { op: 'Gather', inputs: ['sureness', 'entry'], outputs: ['factor'], attributes: { axis: 0 } },
      { op: 'Mul', inputs: ['g1', 'factor'], outputs: ['g2'] },
      { op: 'Softmax', inputs: ['g2'], outputs: ['probabilities'], attributes: { axis: 1 } },
      { op: 'ArgMax', inputs: ['g2'], outputs: ['label'], attributes: { axis: 1, keepdims: 0 } },
    ],
  })
}

if (import.meta.main) writeFileSync(FLAWED_MODEL, encodeFlawedModel(readFileSync(FIRST_MODEL)))
