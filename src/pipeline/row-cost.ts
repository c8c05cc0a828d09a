/** What rows cost a batch beside their number, and how many of those that wait one batch can have. */
import { type PaddingPlan, paddedLength } from './padding.ts'
import type { CloseReason, RunSegment } from './row-run.ts'

/** The cost of the rows of one run. Lists, one element a row, exist only where rows differ and somebody asked. */
export interface RowCost {
  /** Input bytes that every row has, without padded inputs and strings. */
  readonly rowBytes: number
  /** Bytes of each row's strings. */
  readonly stringBytes: Float64Array | undefined
  /** What `sizeOf` gave for each row. */
  readonly sizes: Float64Array | undefined
  /** Length of each row's open dimension, where a batch is padded to its longest row. */
  readonly lengths: Int32Array | undefined
  readonly padding: PaddingPlan | undefined
}

export interface RowLimits {
  readonly maxRows: number
  readonly maxBytes: number
  readonly maxTotalSize: number
  /** A batch never spans two blocks. */
  readonly oneBlock: boolean
}

/** So many rows from the front make one batch; `closes` says what ends it, undefined: only that no more rows are there. */
export interface Reach {
  readonly rows: number
  readonly closes: CloseReason | undefined
}

/** `queued`: rows of all segments from `head` on. */
export function reachOf(segments: readonly RunSegment[], head: number, queued: number, limits: RowLimits): Reach {
  const first = segments[head]
  if (!first) return { rows: 0, closes: undefined }
  const { rowBytes, stringBytes, sizes, lengths } = first.run.cost
  if (limits.oneBlock || stringBytes || sizes || lengths) return walk(segments, head, first, limits)
  const fitting = Math.max(1, Math.floor(limits.maxBytes / rowBytes))
  if (fitting < limits.maxRows) return reached(queued, fitting, 'bytes')
  return reached(queued, limits.maxRows, 'count')
}

function reached(queued: number, most: number, reason: CloseReason): Reach {
  return queued >= most ? { rows: most, closes: reason } : { rows: queued, closes: undefined }
}

function walk(segments: readonly RunSegment[], head: number, first: RunSegment, limits: RowLimits): Reach {
  const { maxRows, maxBytes, maxTotalSize, oneBlock } = limits
  const { rowBytes, padding } = first.run.cost
  let rows = 0
  let longest = 0
  let strings = 0
  let total = 0
  for (let s = head; s < segments.length; s++) {
    const { run, from, to } = segments[s]!
    if (run.work.lost) continue
    if (oneBlock && run.work !== first.run.work) return { rows, closes: 'count' }
    const { lengths, stringBytes, sizes } = run.cost
    for (let i = from; i < to; i++) {
      if (lengths && lengths[i]! > longest) longest = lengths[i]!
      if (stringBytes) strings += stringBytes[i]!
      if (sizes) total += sizes[i]!
      const padded = padding ? paddedLength(padding, longest) * padding.bytesPerStep : 0
      const bytes = (rows + 1) * (rowBytes + padded) + strings
      // A row that is too large by itself goes alone.
      if (rows > 0 && (bytes > maxBytes || total > maxTotalSize)) return { rows, closes: 'bytes' }
      rows++
      if (rows === maxRows) return { rows, closes: 'count' }
      if (bytes >= maxBytes || total >= maxTotalSize) return { rows, closes: 'bytes' }
    }
  }
  return { rows, closes: oneBlock ? 'count' : undefined }
}
