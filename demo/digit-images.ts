import { readFile } from 'node:fs/promises'
import type { Digit } from '../schemas/types.ts'

/** One of the 540 images that the model has not seen, with what is known about it. */
export interface DigitImage {
  readonly digit: Digit
  /** What the image really shows. */
  readonly trueLabel: number
  /** What the model says about it, recorded when it was trained. */
  readonly expected: { readonly label: number; readonly probabilities: readonly number[] }
}

interface ExpectedLine {
  readonly id: string
  readonly label: number
  readonly probabilities: readonly number[]
}

/** The held-out digits, from the working directory's data folder. */
export async function readDigitImages(): Promise<readonly DigitImage[]> {
  const images = await readLines<Digit & { readonly label: number }>('data/digits-test.ndjson')
  const expected = new Map<string, ExpectedLine>()
  for (const line of await readLines<ExpectedLine>('data/digits-mlp-v1.expected.ndjson')) expected.set(line.id, line)
  return images.map(({ id, pixels, label }) => {
    const line = expected.get(id)
    if (line === undefined) throw new Error(`data/digits-mlp-v1.expected.ndjson says nothing about ${id}`)
    return { digit: { id, pixels }, trueLabel: label, expected: line }
  })
}

async function readLines<T>(file: string): Promise<T[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as T)
}
