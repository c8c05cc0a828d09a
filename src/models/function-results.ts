/** What functions gave, on its way out of the thread that ran them. */
import { RunInferenceError } from '../errors.ts'
import { packElements } from './carried-elements.ts'
import { MAX_RESULT_BYTES } from './handler-results.ts'
import { sizeOfValue } from './value-size.ts'

export interface RefusedResult {
  readonly position: number
  readonly error: RunInferenceError
}

/** The results in their order, in one piece or in several where they are large; what may not leave is refused by itself. */
export function packResults(
  given: readonly unknown[],
  where: string,
): { readonly results: readonly Uint8Array<ArrayBuffer>[]; readonly refused: readonly RefusedResult[] } {
  const values = [...given]
  const refused: RefusedResult[] = []
  const results: Uint8Array<ArrayBuffer>[] = []
  const refuse = (position: number, error: RunInferenceError) => {
    values[position] = undefined
    refused.push({ position, error })
  }
  const seal = (from: number, to: number) => {
    try {
      results.push(packElements(values.slice(from, to)))
    } catch {
      // One by one, to find those that cannot be copied.
      for (let position = from; position < to; position++) {
        const error = notCloneable(values[position], `${where}: its result`)
        if (error) refuse(position, error)
      }
      results.push(packElements(values.slice(from, to)))
    }
  }
  let from = 0
  let bytes = 0
  for (const [position, value] of given.entries()) {
    const size = sizeOf(value, where)
    if (size instanceof RunInferenceError) {
      refuse(position, size)
      continue
    }
    if (bytes + size > MAX_RESULT_BYTES) {
      seal(from, position)
      from = position
      bytes = 0
    }
    bytes += size
  }
  seal(from, values.length)
  return { results, refused }
}

/** Why a value cannot be copied into another thread; undefined when it can. */
export function notCloneable(value: unknown, what: string): RunInferenceError | undefined {
  try {
    packElements([value])
    return undefined
  } catch (error) {
    const context = `${what} is no plain data, and cannot be copied to another thread`
    return RunInferenceError.wrap(error, 'NOT_CLONEABLE', context)
  }
}

/** Bytes of a result, about; the error of one that may not leave. */
function sizeOf(value: unknown, where: string): number | RunInferenceError {
  try {
    const bytes = sizeOfValue(value, MAX_RESULT_BYTES)
    if (bytes <= MAX_RESULT_BYTES) return bytes
  } catch (error) {
    return RunInferenceError.wrap(error, 'NOT_CLONEABLE', `${where}: its result cannot be read`)
  }
  const limit = `${MAX_RESULT_BYTES / 1024 / 1024} MiB`
  return new RunInferenceError(
    'RESULT_TOO_LARGE',
    `${where}: its result is larger than ${limit}, more than may leave a worker. Return less`,
  )
}
