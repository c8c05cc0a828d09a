/** What `runInference` of a user's handler gave, read to its end and held against the batch. */
import { RunInferenceError } from '../errors.ts'
import { notCloneable, pack } from './packed-values.ts'
import { sizeOfValue } from './value-size.ts'

/** What may leave a lane: as much of one result, and of those of a batch. */
export const MAX_RESULT_BYTES = 64 * 1024 * 1024
const MAX_BATCH_BYTES = 256 * 1024 * 1024

/**
 * All results; of a generator not more than one too many. Throws what the generator throws on its way, and TypeError for what
 * can have no results in it.
 */
export async function readResults(given: unknown, rows: number): Promise<readonly unknown[]> {
  if (Array.isArray(given)) return given
  const results: unknown[] = []
  if (isAsyncIterable(given)) {
    for await (const result of given) if (results.push(result) > rows) break
  } else if (isIterable(given)) {
    for (const result of given) if (results.push(result) > rows) break
  } else {
    const got = given === null || given === undefined ? String(given) : `a value of type ${typeof given}`
    throw new TypeError(`runInference returned ${got}, expected the results: a list or generator`)
  }
  return results
}

/** Throws RESULT_COUNT for more or fewer results than examples. */
export function requireCount(where: string, results: number, rows: number): void {
  if (results === rows) return
  const got = results > rows ? `${results} or more` : results
  const examples = rows === 1 ? 'example' : 'examples'
  throw new RunInferenceError(
    'RESULT_COUNT',
    `${where}: runInference gave ${got} results for ${rows} ${examples}; it must give one for each, in their order`,
  )
}

/** The results in one piece. Throws RESULT_TOO_LARGE, before anything is copied, and NOT_CLONEABLE. */
export function packResults(where: string, results: readonly unknown[]): Uint8Array<ArrayBuffer> {
  let bytes = 0
  for (const [index, result] of results.entries()) {
    const size = sizeOfResult(where, result, Math.min(MAX_RESULT_BYTES, MAX_BATCH_BYTES - bytes))
    bytes += size
    if (size > MAX_RESULT_BYTES)
      throw tooLarge(`${where}: result ${index + 1} of ${results.length} is`, MAX_RESULT_BYTES)
    if (bytes > MAX_BATCH_BYTES)
      throw tooLarge(`${where}: the results of ${results.length} examples are`, MAX_BATCH_BYTES)
  }
  return pack(results, 'result', where)
}

function sizeOfResult(where: string, result: unknown, limitBytes: number): number {
  try {
    return sizeOfValue(result, limitBytes)
  } catch (error) {
    throw notCloneable(error, 'result', where)
  }
}

function tooLarge(what: string, limitBytes: number): RunInferenceError {
  const limit = `${limitBytes / 1024 / 1024} MiB`
  return new RunInferenceError(
    'RESULT_TOO_LARGE',
    `${what} larger than ${limit}, more than may leave a lane. Return less, or make the batches smaller`,
  )
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
