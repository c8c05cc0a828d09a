/** What a step's `batch` options ask of single rows: a bucket, a size. Nothing is asked where nothing was set. */
import { RunInferenceError } from '../errors.ts'
import type { BatchOptions, LengthBuckets } from '../graph.ts'
import type { UserFunction } from '../models/model-handler.ts'
import { applyFunction } from '../models/user-function.ts'
import type { Measured } from './staged-run.ts'

/** Beam's boundaries, for who gives none. */
const DEFAULT_BOUNDARIES = [16, 32, 64, 128, 256, 512]

export interface RowGrouping {
  /** Rows of one shape may fall into several buckets. */
  readonly groups: boolean
  /** The bucket of an element as it enters the step. Throws FUNCTION_THREW. */
  readonly bucketOf: ((element: unknown) => string) | undefined
  /** The bucket of a row by its length, where its inputs are padded. */
  readonly bucketOfLength: ((length: number) => number) | undefined
  /** The size of an element as it enters the step. Throws FUNCTION_THREW. */
  readonly sizeOf: ((element: unknown) => number) | undefined
  readonly measured: Measured
}

export function rowGrouping({ bucketBy, sizeOf, maxBytes }: BatchOptions<never>): RowGrouping {
  return {
    groups: bucketBy !== undefined,
    bucketOf: bucketFunction(bucketBy),
    bucketOfLength:
      typeof bucketBy === 'object' && !bucketBy.lengthOf
        ? length => bucketOfLength(bucketBy.boundaries ?? DEFAULT_BOUNDARIES, length)
        : undefined,
    sizeOf: sizeOf && (element => numberOf('batch.sizeOf', sizeOf, element)),
    measured: { bytes: maxBytes !== undefined, size: sizeOf !== undefined },
  }
}

function bucketFunction(bucketBy: BatchOptions<never>['bucketBy']): RowGrouping['bucketOf'] {
  if (typeof bucketBy === 'function') return element => keyOf(bucketBy, element)
  if (!bucketBy?.lengthOf) return undefined
  const { lengthOf, boundaries = DEFAULT_BOUNDARIES } = bucketBy as Required<LengthBuckets<never>>
  return element => String(bucketOfLength(boundaries, numberOf('batch.bucketBy.lengthOf', lengthOf, element)))
}

/** How many boundaries are at or below the length: a bucket holds its lower boundary (Beam). */
function bucketOfLength(boundaries: readonly number[], length: number): number {
  let bucket = 0
  while (bucket < boundaries.length && boundaries[bucket]! <= length) bucket++
  return bucket
}

function keyOf(fn: UserFunction, element: unknown): string {
  const key = called('batch.bucketBy', fn, element)
  if (typeof key === 'string' || Number.isFinite(key)) return String(key)
  throw new RunInferenceError('FUNCTION_THREW', `batch.bucketBy: expected a string or a number, got ${String(key)}`)
}

function numberOf(name: string, fn: UserFunction, element: unknown): number {
  const value = called(name, fn, element)
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value
  throw new RunInferenceError('FUNCTION_THREW', `${name}: expected a number from 0, got ${String(value)}`)
}

function called(name: string, fn: UserFunction, element: unknown): unknown {
  try {
    return applyFunction(fn, element, 'FUNCTION_THREW')
  } catch (error) {
    throw RunInferenceError.from(error, 'FUNCTION_THREW', name)
  }
}
