import { readFile } from 'node:fs/promises'
import type { Digit } from '../schemas/types.ts'
import { MOST_INK, RECORDED_RESULTS } from './digit-models.ts'

/** What a model says about an image. */
export interface RecordedResult {
  readonly label: number
  readonly probabilities: readonly number[]
}

/** One of the 540 images that the models have not seen, with what is known about it. */
export interface DigitImage {
  readonly digit: Digit
  /** What the image really shows. */
  readonly trueLabel: number
  /** By the id of the model. */
  readonly results: ReadonlyMap<string, RecordedResult>
}

/** The held-out digits, from the working directory's data folder. */
export async function readDigitImages(): Promise<readonly DigitImage[]> {
  const images = await readLines<Digit & { readonly label: number }>('data/digits-test.ndjson')
  const results = new Map(images.map(({ id }) => [id, new Map<string, RecordedResult>()]))
  for (const [modelId, file] of RECORDED_RESULTS) {
    for (const line of await readLines<RecordedResult & { readonly id: string }>(file))
      results.get(line.id)?.set(modelId, line)
    const missing = images.find(({ id }) => !results.get(id)!.has(modelId))
    if (missing) throw new Error(`${file} says nothing about ${missing.id}`)
  }
  return images.map(({ id, pixels, label }) => ({
    digit: { id, pixels },
    trueLabel: label,
    results: results.get(id)!,
  }))
}

/** One that the flawed model fails for. */
export function isInky({ digit }: Pick<DigitImage, 'digit'>): boolean {
  return digit.pixels.reduce((sum, pixel) => sum + pixel, 0) >= MOST_INK
}

/** The share of the images that a model gets right. */
export function recordedAccuracy(images: readonly DigitImage[], modelId: string): number {
  const right = images.filter(({ trueLabel, results }) => results.get(modelId)?.label === trueLabel)
  return right.length / images.length
}

async function readLines<T>(file: string): Promise<T[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as T)
}
