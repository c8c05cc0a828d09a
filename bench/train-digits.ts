/**
 * Trains a softmax regression on the first half of data/digits-test.ndjson: a third model of the digits, with weights that
 * neither v1 nor v2 has. `node bench/train-digits.ts out.onnx` writes it; the same data give the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { encodeMlp, type MlpLayer } from './make-mlp.ts'

export interface LabelledDigit {
  readonly id: string
  readonly label: number
  /** 64, from 0 to 16. */
  readonly pixels: readonly number[]
}

const CLASSES = 10
const PIXELS = 64
const ROUNDS = 400
const LEARNING_RATE = 0.01
const WEIGHT_DECAY = 1e-3

export function readDigits(path = 'data/digits-test.ndjson'): LabelledDigit[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map(line => JSON.parse(line) as LabelledDigit)
}

/** Gradient descent over all rows at once, from weights of 0. */
export function trainSoftmax(digits: readonly LabelledDigit[]): MlpLayer {
  const weights = new Float32Array(PIXELS * CLASSES)
  const bias = new Float32Array(CLASSES)
  const layer: MlpLayer = { inWidth: PIXELS, outWidth: CLASSES, weights, bias }
  for (let round = 0; round < ROUNDS; round++) {
    const slopes = new Float64Array(weights.length)
    const biasSlopes = new Float64Array(CLASSES)
    for (const { pixels, label } of digits) {
      const errors = softmaxOf(layer, pixels)
      errors[label]! -= 1
      for (let out = 0; out < CLASSES; out++) {
        biasSlopes[out]! += errors[out]!
        for (let at = 0; at < PIXELS; at++) slopes[at * CLASSES + out]! += errors[out]! * pixels[at]!
      }
    }
    for (let i = 0; i < weights.length; i++)
      weights[i]! -= LEARNING_RATE * (slopes[i]! / digits.length + WEIGHT_DECAY * weights[i]!)
    for (let out = 0; out < CLASSES; out++) bias[out]! -= (LEARNING_RATE * biasSlopes[out]!) / digits.length
  }
  return layer
}

/** The share of digits that get their own label. */
export function accuracyOf(layer: MlpLayer, digits: readonly LabelledDigit[]): number {
  const right = digits.filter(({ pixels, label }) => {
    const probabilities = softmaxOf(layer, pixels)
    return probabilities.indexOf(Math.max(...probabilities)) === label
  })
  return right.length / digits.length
}

function softmaxOf({ weights, bias }: MlpLayer, pixels: readonly number[]): Float64Array {
  const values = Float64Array.from(bias)
  for (let at = 0; at < PIXELS; at++)
    for (let out = 0; out < CLASSES; out++) values[out]! += pixels[at]! * weights[at * CLASSES + out]!
  const highest = Math.max(...values)
  let sum = 0
  for (let out = 0; out < CLASSES; out++) sum += values[out] = Math.exp(values[out]! - highest)
  return values.map(value => value / sum)
}

/** Writes the model; says how well it does on the half that it has not seen. */
export function writeTrainedDigits(path: string, digits = readDigits()): number {
  const half = digits.length >> 1
  const layer = trainSoftmax(digits.slice(0, half))
  writeFileSync(path, encodeMlp([layer]))
  return accuracyOf(layer, digits.slice(half))
}

if (import.meta.main) {
  const [path] = process.argv.slice(2)
  if (!path) {
    console.error('usage: node bench/train-digits.ts <file.onnx>')
    process.exitCode = 1
  } else {
    console.log(`accuracy on the other half: ${writeTrainedDigits(path).toFixed(4)}`)
  }
}
