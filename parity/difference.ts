/**
 * Where two values differ, field by field, as paths: `main[2].inference`. `main:length` and `main:order` are lists of other
 * lengths, of which what both have is compared too, and of the same things in another order.
 */
import { isDeepStrictEqual } from 'node:util'
import { sameMeaning } from './wordings.ts'

/** Numbers of tensors; everything else is compared exactly. */
const TENSOR_TOLERANCE = 1e-6
/** Markers of the neutral form, which say nothing in a path. */
const MARKERS = new Set(['$tuple', '$prediction_result', '$ndarray'])

export function differences(recorded: unknown, actual: unknown): string[] {
  const found = new Set<string>()
  compare(recorded, actual, '', found)
  return [...found].sort()
}

function compare(recorded: unknown, actual: unknown, path: string, found: Set<string>): void {
  if (isDeepStrictEqual(recorded, actual)) return
  if (Array.isArray(recorded) && Array.isArray(actual)) compareLists(recorded, actual, path, found)
  else if (!isRecord(recorded) || !isRecord(actual)) found.add(path)
  else if (!('dtype' in recorded && 'dtype' in actual)) compareRecords(recorded, actual, path, found)
  else if (!closeTensors(recorded, actual)) found.add(path)
}

type Fields = Readonly<Record<string, unknown>>

function compareRecords(recorded: Fields, actual: Fields, path: string, found: Set<string>): void {
  const worded = sameMeaning(recorded, actual)
  // Of what depends on the machine, only the count was recorded.
  const varies = recorded.value_varies === true
  const names = varies ? ['count'] : new Set([...Object.keys(recorded), ...Object.keys(actual)])
  for (const name of names) {
    if (worded.includes(name)) continue
    const below = MARKERS.has(name) ? path : path === '' ? name : `${path}.${name}`
    compare(recorded[name], actual[name], below, found)
  }
}

function compareLists(
  recorded: readonly unknown[],
  actual: readonly unknown[],
  path: string,
  found: Set<string>,
): void {
  if (recorded.length !== actual.length) found.add(`${path}:length`)
  else if (sameThings(recorded, actual)) {
    found.add(`${path}:order`)
    return
  }
  const count = Math.min(recorded.length, actual.length)
  for (let i = 0; i < count; i++) compare(recorded[i], actual[i], `${path}[${i}]`, found)
}

function sameThings(recorded: readonly unknown[], actual: readonly unknown[]): boolean {
  const left = [...actual]
  return recorded.every(value => {
    const index = left.findIndex(other => isDeepStrictEqual(value, other))
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  })
}

interface Tensor {
  readonly data: readonly unknown[]
}

function closeTensors(recorded: Fields, actual: Fields): boolean {
  const { data, ...rest } = recorded as unknown as Tensor
  const { data: others, ...otherRest } = actual as unknown as Tensor
  const close = (value: unknown, i: number) =>
    typeof value === 'number'
      ? Math.abs(value - (others[i] as number)) <= TENSOR_TOLERANCE
      : isDeepStrictEqual(value, others[i])
  return data.length === others.length && data.every(close) && isDeepStrictEqual(rest, otherRest)
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
