import { paddedLength, shapesAt } from './padding.ts'
import type { Batch, CloseReason, RunSegment } from './row-run.ts'

/** One batch of these segments, at least one, all of one bucket. */
export function formBatch(segments: readonly RunSegment[], reason: CloseReason): Batch {
  const rows = segments.reduce((sum, { from, to }) => sum + to - from, 0)
  return { segments, rows, ...paddedShape(segments, rows), reason, firstArrivedAtMs: segments[0]!.run.arrivedAtMs }
}

/** The shape of a batch: its rows' own, or, where they differ, that of the longest. */
function paddedShape(
  segments: readonly RunSegment[],
  rows: number,
): Pick<Batch, 'rowShapes' | 'paddedLength' | 'paddingBytes'> {
  const { rowShapes, cost } = segments[0]!.run
  const { padding } = cost
  if (!padding) return { rowShapes: rowShapes as Batch['rowShapes'], paddedLength: 0, paddingBytes: 0 }
  let longest = 0
  let steps = 0
  for (const { run, from, to } of segments) {
    const { lengths } = run.cost
    for (let i = from; i < to; i++) {
      longest = Math.max(longest, lengths![i]!)
      steps += lengths![i]!
    }
  }
  const length = paddedLength(padding, longest)
  return {
    rowShapes: shapesAt(padding, rowShapes, length),
    paddedLength: length,
    paddingBytes: (rows * length - steps) * padding.bytesPerStep,
  }
}
