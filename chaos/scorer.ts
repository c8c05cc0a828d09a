import { writeFileSync } from 'node:fs'
import { encodeOnnx } from '../bench/onnx-writer.ts'
import { EXAMPLE_WIDTH, SCORE_WIDTH, weightOf } from './events.ts'

/** Writes the model of the first step: scores[batch, 4] = x[batch, 8] × weights. */
export function writeScorer(path: string): void {
  const weights = Float32Array.from({ length: EXAMPLE_WIDTH * SCORE_WIDTH }, (_, i) =>
    weightOf(Math.floor(i / SCORE_WIDTH), i % SCORE_WIDTH),
  )
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', EXAMPLE_WIDTH] }],
    outputs: [{ name: 'scores', dtype: 'float32', shape: ['batch', SCORE_WIDTH] }],
    constants: [{ name: 'weights', dtype: 'float32', shape: [EXAMPLE_WIDTH, SCORE_WIDTH], data: weights }],
    nodes: [{ op: 'MatMul', inputs: ['x', 'weights'], outputs: ['scores'] }],
  })
  writeFileSync(path, bytes)
}
