/**
 * Multi-layer perceptrons as ONNX files: float32 x[batch, in] to float32 probabilities[batch, out], relu between the
 * layers, softmax at the end, weights from a seeded generator. `node bench/make-mlp.ts out.onnx 64 128 10` writes one.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { encodeOnnx, type OnnxConstant, type OnnxNode } from './onnx-writer.ts'

export interface MlpLayer {
  readonly inWidth: number
  readonly outWidth: number
  /** [inWidth, outWidth], row by row. */
  readonly weights: Float32Array
  readonly bias: Float32Array
}

export interface Mlp {
  readonly bytes: Uint8Array
  readonly layers: readonly MlpLayer[]
}

/** The two subjects of the benchmarks. */
export const SMALL_MLP = [64, 128, 10] as const
export const MID_MLP = [784, 512, 256, 10] as const

/** `widths`: input, hidden layers, output. The same widths and seed give the same bytes. */
export function makeMlp(widths: readonly number[], seed = 1): Mlp {
  const random = generator(seed)
  const layers = widths.slice(1).map((outWidth, index): MlpLayer => {
    const inWidth = widths[index]!
    const scale = Math.sqrt(6 / inWidth)
    const draw = () => (random() * 2 - 1) * scale
    return {
      inWidth,
      outWidth,
      weights: Float32Array.from({ length: inWidth * outWidth }, draw),
      bias: Float32Array.from({ length: outWidth }, () => draw() * 0.1),
    }
  })
  return { bytes: encodeMlp(layers), layers }
}

/** The layers as an ONNX file. */
export function encodeMlp(layers: readonly MlpLayer[]): Uint8Array {
  const constants: OnnxConstant[] = []
  const nodes: OnnxNode[] = []
  let value = 'x'
  for (const [index, { inWidth, outWidth, weights, bias }] of layers.entries()) {
    constants.push({ name: `w${index}`, dtype: 'float32', shape: [inWidth, outWidth], data: weights })
    constants.push({ name: `b${index}`, dtype: 'float32', shape: [outWidth], data: bias })
    nodes.push({ op: 'Gemm', inputs: [value, `w${index}`, `b${index}`], outputs: [`z${index}`] })
    value = index === layers.length - 1 ? 'probabilities' : `a${index}`
    if (value === 'probabilities') nodes.push(softmax(`z${index}`))
    else nodes.push({ op: 'Relu', inputs: [`z${index}`], outputs: [value] })
  }
  return encodeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', layers[0]!.inWidth] }],
    outputs: [{ name: 'probabilities', dtype: 'float32', shape: ['batch', layers.at(-1)!.outWidth] }],
    constants,
    nodes,
  })
}

/** Writes the file, and the folder when it is missing. */
export function writeMlp(path: string, widths: readonly number[], seed = 1): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, makeMlp(widths, seed).bytes)
}

function softmax(input: string): OnnxNode {
  return { op: 'Softmax', inputs: [input], outputs: ['probabilities'], attributes: { axis: 1 } }
}

/** Numbers in [0, 1) from a 32-bit seed (mulberry32): small, fast, and the same on every machine. */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

if (import.meta.main) {
  const [path, ...widths] = process.argv.slice(2)
  if (!path || widths.length < 2) {
    console.error('usage: node bench/make-mlp.ts <file.onnx> <input width> [<hidden width> ...] <output width>')
    process.exitCode = 1
  } else {
    writeMlp(path, widths.map(Number))
  }
}
