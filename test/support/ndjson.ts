import { readFile } from 'node:fs/promises'

/** The values of an NDJSON file of the project. */
export async function ndjson<T>(file: string): Promise<T[]> {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** The largest difference of numbers that have the same place. */
export function largestDifference(actual: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))))
}
