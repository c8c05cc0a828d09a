import type { DigitPrediction } from '../schemas/types.ts'
import { KRI_CODE, KRI_PREFIX } from '../src/kafka/headers.ts'
import type { Header, RecordBlock } from '../src/kafka/record-block.ts'
import type { RecordedResult } from './digit-images.ts'

/** What must become of a source record: a prediction of this image, or a dead letter with this code. */
export type Expectation = { readonly topic: string } & (
  | { readonly image: ExpectedImage; readonly code?: undefined }
  | { readonly code: string; readonly image?: undefined }
)

export interface ExpectedImage {
  readonly id: string
  /** What it really shows. */
  readonly trueLabel: number
  /** What each model says about it, by the id of the model. */
  readonly results: ReadonlyMap<string, RecordedResult>
}

/** One record of a block. */
export interface BlockRow {
  readonly block: RecordBlock
  readonly row: number
}

const TOLERANCE = 1e-6

/** What is wrong with an output, or undefined. `prediction`: the decoded value, where the topic holds predictions. */
export function outputProblem(
  source: BlockRow,
  output: BlockRow,
  expected: Expectation,
  prediction: DigitPrediction | undefined,
): string | undefined {
  const { topic } = output.block
  if (topic !== expected.topic) return `is in ${topic}, expected in ${expected.topic}`
  const headers = output.block.headers(output.row)
  const key = output.block.key(output.row)
  if (!sameBytes(key, source.block.key(source.row))) return `has the key ${String(key)}, not its source's`
  if (!sameHeaders(source.block.headers(source.row), headers)) return 'does not carry the headers of its source'
  if (expected.image !== undefined) return predictionProblem(expected.image, prediction)
  const code = headerText(headers, KRI_CODE)
  if (code !== expected.code) return `has the code ${code}, expected ${expected.code}`
  const value = output.block.value(output.row)
  return sameBytes(value, source.block.value(source.row)) ? undefined : 'does not have the value of its source'
}

function predictionProblem(image: ExpectedImage, prediction: DigitPrediction | undefined): string | undefined {
  if (prediction === undefined) return 'is not a prediction'
  const { id, label, probabilities, modelId } = prediction
  if (id !== image.id) return `predicts ${id}, expected ${image.id}`
  const expected = image.results.get(modelId)
  if (expected === undefined) return `names ${modelId}, expected ${[...image.results.keys()].join(' or ')}`
  if (label !== expected.label) return `says ${label} for ${id}, expected ${expected.label} of ${modelId}`
  if (probabilities.length !== expected.probabilities.length) return `has ${probabilities.length} probabilities`
  // Not `> TOLERANCE`: NaN must not pass.
  const wrong = expected.probabilities.findIndex((p, digit) => !(Math.abs(p - probabilities[digit]!) <= TOLERANCE))
  if (wrong < 0) return undefined
  const got = `gives ${wrong} for ${id} a probability of ${probabilities[wrong]}`
  return `${got}, expected ${expected.probabilities[wrong]} of ${modelId}`
}

export function headerText(headers: readonly Header[], name: string): string | undefined {
  return headers.find(([header]) => header === name)?.[1]?.toString()
}

/** All but ours, in their order. */
function sameHeaders(source: readonly Header[], output: readonly Header[]): boolean {
  const carried = (headers: readonly Header[]) => headers.filter(([name]) => !name.startsWith(KRI_PREFIX))
  const wanted = carried(source)
  const got = carried(output)
  return (
    got.length === wanted.length &&
    wanted.every(([name, value], i) => name === got[i]![0] && sameBytes(value, got[i]![1]))
  )
}

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}
