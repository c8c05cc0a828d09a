/** The models that are swapped: v1 and v2 of the digits, one trained here, and a large one; and what each gives for every digit. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelMetadata } from '../src/refresh/step-models.ts'
import { encodeLargeDigits } from './large-digits.ts'
import { infer } from './raw-session.ts'
import { readDigits, trainSoftmax, writeTrainedDigits } from './train-digits.ts'

const CLASSES = 10
const LARGE_MIB = 120
/** Models that agree would show nothing. */
const DIFFERENCE = 1e-3
const DIFFERENT_SHARE = 0.5

export interface DigitModel {
  readonly metadata: ModelMetadata
  readonly isLarge: boolean
  /** Probabilities of every digit of data/digits-test.ndjson, one behind the other. */
  readonly expected: Float32Array
}

/** The pixels of all digits, one behind the other. */
export function digitRows(): Float32Array {
  return Float32Array.from(readDigits().flatMap(({ pixels }) => pixels))
}

/** The large one last. Throws when two of them agree on half of the digits. */
export async function writeDigitModels(folder: string, withLarge = true): Promise<readonly DigitModel[]> {
  const trained = join(folder, 'digits-trained.onnx')
  const large = join(folder, 'digits-large.onnx')
  writeTrainedDigits(trained)
  if (withLarge) writeFileSync(large, encodeLargeDigits(trainSoftmax(readDigits()), LARGE_MIB))
  const files = ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx', trained, ...(withLarge ? [large] : [])]
  const rows = digitRows()
  const models: DigitModel[] = []
  for (const modelId of files) {
    const bytes = readFileSync(modelId)
    const metadata = {
      modelId,
      modelName: '',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      sizeBytes: bytes.length,
    }
    const expected = await infer(modelId, rows, 64)
    models.push({ metadata, isLarge: modelId === large, expected })
  }
  for (const [i, a] of models.entries()) for (const b of models.slice(i + 1)) requireDifferent(a, b)
  return models
}

function requireDifferent(a: DigitModel, b: DigitModel): void {
  const digits = a.expected.length / CLASSES
  let different = 0
  for (let digit = 0; digit < digits; digit++) {
    let most = 0
    for (let i = digit * CLASSES; i < (digit + 1) * CLASSES; i++)
      most = Math.max(most, Math.abs(a.expected[i]! - b.expected[i]!))
    if (most > DIFFERENCE) different++
  }
  if (different >= DIFFERENT_SHARE * digits) return
  throw new Error(`${a.metadata.modelId} and ${b.metadata.modelId} differ on ${different} of ${digits} digits alone`)
}
