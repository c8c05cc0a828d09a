import type { BatchOptions, StepNode } from '../graph.ts'

/** The limits of a step's batches. */
export interface BatchPolicy {
  readonly mode: 'stream' | 'bundle'
  readonly minSize: number
  readonly maxSize: number
  readonly maxWaitMs: number
  /** Input bytes of a batch, padding included; undefined: no limit. */
  readonly maxBytes: number | undefined
  /** Sum of `sizeOf` over its rows; undefined: no limit. */
  readonly maxTotalSize: number | undefined
}

/** What the step says of its batches, and for the rest its handler. */
export function batchOptionsOf({ handler, options }: StepNode): BatchOptions<never> {
  return { ...handler.batch, ...options.batch }
}

/** Fills in the defaults: minSize is maxSize where a wait was asked for, else 1. */
export function batchPolicy(options: BatchOptions<never>): BatchPolicy {
  const { mode = 'stream', maxSize = 256, maxWaitMs = 0 } = options
  return {
    mode,
    maxSize,
    maxWaitMs,
    minSize: options.minSize ?? (maxWaitMs > 0 ? maxSize : 1),
    maxBytes: options.maxBytes,
    maxTotalSize: options.maxTotalSize,
  }
}
