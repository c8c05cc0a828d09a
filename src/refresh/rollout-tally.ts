/**
 * What the models of a rollout did in some time: sums, so that it takes the same memory whatever came. Times are kept by the size
 * of the batch, in four classes for each doubling: within one, sizes differ by less than a fifth.
 */

export type Side = 'stable' | 'candidate'

export interface SideTally {
  /** That have come through inference, or failed in it. */
  records: number
  failed: number
  /** Calls that gave results, their rows, and how long they took. */
  calls: number
  rows: number
  callMs: number
  /** The one that took longest. */
  slowest: { readonly rows: number; readonly callMs: number }
  readonly sizes: { readonly calls: Float64Array; readonly rows: Float64Array; readonly callMs: Float64Array }
}

export type Tally = Readonly<Record<Side, SideTally>>

const CLASSES_PER_DOUBLING = 4
const CLASSES = 24 * CLASSES_PER_DOUBLING
/** What is quicker is not compared: a call that takes nothing at all would make every other one endlessly slow. */
export const CALL_FLOOR_MS = 0.1

export function tallyOf(): Tally {
  return { stable: nothing(), candidate: nothing() }
}

export function tallyCall(side: SideTally, rows: number, callMs: number): void {
  const size = sizeClass(rows)
  side.records += rows
  side.rows += rows
  side.calls++
  side.callMs += callMs
  side.sizes.calls[size]!++
  side.sizes.rows[size]! += rows
  side.sizes.callMs[size]! += callMs
  if (callMs > side.slowest.callMs) side.slowest = { rows, callMs }
}

/** Adds what is in `from`. */
export function addTallies(to: Tally, from: Tally): void {
  addSide(to.stable, from.stable)
  addSide(to.candidate, from.candidate)
}

/**
 * What the calls of the candidate but its slowest would take the stable model, in milliseconds; undefined while one of them has
 * had too few to say.
 */
export function expectedMs(stable: SideTally, candidate: SideTally): number | undefined {
  if (stable.calls === 0 || candidate.calls < 2) return undefined
  const slowest = sizeClass(candidate.slowest.rows)
  let expected = 0
  for (let size = 0; size < CLASSES; size++) {
    const left = size === slowest ? 1 : 0
    const calls = candidate.sizes.calls[size]! - left
    if (calls === 0) continue
    const rows = candidate.sizes.rows[size]! - left * candidate.slowest.rows
    expected += Math.max(calls * CALL_FLOOR_MS, stableMs(stable, size, calls, rows))
  }
  return expected
}

/** A batch takes longer than a smaller one, and per row less: so those of other sizes say what it takes at most. */
function stableMs({ sizes }: SideTally, size: number, calls: number, rows: number): number {
  const perRow = (at: number) => (rows * sizes.callMs[at]!) / sizes.rows[at]!
  if (sizes.calls[size]! > 0) return perRow(size)
  let smaller = size
  while (smaller >= 0 && sizes.calls[smaller] === 0) smaller--
  let larger = size
  while (larger < CLASSES && sizes.calls[larger] === 0) larger++
  const bySmaller = smaller < 0 ? Number.POSITIVE_INFINITY : perRow(smaller)
  const byLarger =
    larger === CLASSES ? Number.POSITIVE_INFINITY : (calls * sizes.callMs[larger]!) / sizes.calls[larger]!
  return Math.min(bySmaller, byLarger)
}

function sizeClass(rows: number): number {
  return Math.min(CLASSES - 1, Math.floor(CLASSES_PER_DOUBLING * Math.log2(Math.max(1, rows))))
}

function addSide(to: SideTally, from: SideTally): void {
  for (const name of ['records', 'failed', 'calls', 'rows', 'callMs'] as const) to[name] += from[name]
  for (const name of ['calls', 'rows', 'callMs'] as const) {
    for (let size = 0; size < CLASSES; size++) to.sizes[name][size]! += from.sizes[name][size]!
  }
  if (from.slowest.callMs > to.slowest.callMs) to.slowest = from.slowest
}

function nothing(): SideTally {
  const sums = () => new Float64Array(CLASSES)
  return {
    records: 0,
    failed: 0,
    calls: 0,
    rows: 0,
    callMs: 0,
    slowest: { rows: 0, callMs: 0 },
    sizes: { calls: sums(), rows: sums(), callMs: sums() },
  }
}
