/**
 * Finds the rows that make a batch fail, so that a bad row harms only itself (I7).
 *
 * C1. Every row ends in exactly one of: good (its range ran), bad (see C4 to C6), undecided (the budget was used up).
 * C2. At most 4 × log2(n) extra calls a batch, rounded up; undecided ranges go back to the queue, each with a budget of its own.
 * C3. When no range of the batch ran at all, the control batch decides: it fails = an outage, nothing is bad;
 *     it passes = the rows that failed alone are bad.
 * C4. Without a control verdict, no row is called bad unless another row of the same batch was good.
 * C5. A row is called bad only after it has failed alone twice: once may be a hiccup of the model. For a batch of one the
 *     failure that began the search is the first of the two.
 * C6. A model that passes its control batch and refuses everything else is not searched to the end: when both halves of a batch
 *     have failed, single rows from all over it are tried, until one runs. When ENOUGH_REFUSED rows in a row, of this search and
 *     those before it, were bad, all that are left of the batch are.
 */
export interface BisectActions<Outputs> {
  run(from: number, rows: number): Promise<Outputs>
  /** Known good input; rejects in an outage. */
  control(): Promise<void>
  /** A range ran; its outputs are valid until the next run. */
  good(from: number, rows: number, outputs: Outputs): void
}

export interface BisectOptions {
  /** False for errors that say nothing of the rows (a lost lane): they end the search as an outage. */
  readonly isBadInput: (error: unknown) => boolean
  /** The control batch has passed just now, and need not be run. */
  readonly isKnownGood?: boolean
  /** `refused` of the search before, unless rows of the model have run since (C6). */
  readonly refusedBefore?: number
}

export interface BisectVerdict {
  /** The control batch failed: this error says why, `undecided` holds every row that did not run. */
  readonly outage: unknown
  readonly bad: readonly { readonly row: number; readonly error: unknown }[]
  readonly undecided: readonly Range[]
  /** Runs and control batches. */
  readonly calls: number
  /** So many rows were tried alone and found bad since any row ran (C6). */
  readonly refused: number
}

interface Range {
  readonly from: number
  readonly rows: number
}

/** Smaller batches have no budget for samples. */
const MIN_SAMPLED_ROWS = 16
/** If one row in ten were good, so many would all be bad three times in a thousand; if one in five were, four in a million. */
export const ENOUGH_REFUSED = 56

/** How many extra calls the search of one batch may take (C2). */
export function searchBudget(rows: number): number {
  return Math.ceil(4 * Math.log2(Math.max(2, rows)))
}

export async function bisect<Outputs>(
  rows: number,
  firstError: unknown,
  actions: BisectActions<Outputs>,
  { isBadInput, isKnownGood = false, refusedBefore = 0 }: BisectOptions,
): Promise<BisectVerdict> {
  const budget = searchBudget(rows)
  let failed: (Range & { readonly error: unknown })[] = [{ from: 0, rows, error: firstError }]
  /** Parts of what failed that have not run by themselves. */
  let untried: Range[] = []
  const bad: { row: number; error: unknown }[] = []
  let calls = 0
  let anyGood = false
  let controlPassed = isKnownGood
  let isSampled = rows < MIN_SAMPLED_ROWS
  let refused = refusedBefore
  let outage: unknown
  /** How often a row failed alone, and with what. */
  const alone = new Map<number, { readonly times: number; readonly error: unknown }>()
  if (rows === 1) alone.set(0, { times: 1, error: firstError })

  const tryRange = async (range: Range): Promise<'ran' | { readonly error: unknown }> => {
    const { from, rows: count } = range
    calls++
    let outputs: Outputs
    try {
      outputs = await actions.run(from, count)
    } catch (error) {
      if (!isBadInput(error)) outage ??= error
      if (count === 1) alone.set(from, { times: (alone.get(from)?.times ?? 0) + 1, error })
      return { error }
    }
    anyGood = true
    actions.good(from, count, outputs)
    return 'ran'
  }
  const runControl = async (): Promise<void> => {
    calls++
    try {
      await actions.control()
      controlPassed = true
    } catch (error) {
      outage ??= error
    }
  }
  const take = (row: number): Range[] => {
    const sides = failed.filter(range => contains(range, row)).flatMap(range => beside(range, row))
    failed = failed.filter(range => !contains(range, row))
    return sides
  }
  const sample = async (): Promise<void> => {
    isSampled = true
    const count = Math.min(rows, (budget - calls) >> 1)
    for (let i = 0; i < count && outage === undefined; i++) {
      const row = spread(i, count, rows)
      const single = { from: row, rows: 1 }
      // A second time only what has failed, and not for a lost lane (C5).
      const first = await tryRange(single)
      const result = first === 'ran' || outage !== undefined ? first : await tryRange(single)
      if (outage !== undefined) return
      const sides = take(row)
      if (result === 'ran') {
        untried = sides
        return
      }
      refused++
      bad.push({ row, error: result.error })
      failed.push(...sides.map(side => ({ ...side, error: firstError })))
    }
    if (refused < ENOUGH_REFUSED) return
    for (const { from, rows: left } of failed)
      for (let row = from; row < from + left; row++) bad.push({ row, error: firstError })
    failed = []
  }

  // Depth first, left half first; a control batch as soon as both halves of the whole have failed.
  while (outage === undefined) {
    const part = untried[0]
    const range = failed.at(-1)
    if (part) {
      if (calls === budget) break
      untried.shift()
      const result = await tryRange(part)
      if (result !== 'ran') failed.push({ ...part, error: result.error })
    } else if (!range) break
    else if (!anyGood && !controlPassed && (range.rows === 1 || calls >= 2)) await runControl()
    else if (!anyGood && !isSampled && calls >= 2) await sample()
    else if (range.rows > 1) {
      failed.pop()
      const left = range.rows >> 1
      untried.push({ from: range.from + left, rows: range.rows - left }, { from: range.from, rows: left })
    } else {
      failed.pop()
      if ((alone.get(range.from)?.times ?? 0) > 1) bad.push({ row: range.from, error: range.error })
      else untried.push(range)
    }
  }
  const undecided = [...untried, ...failed].map(({ from, rows: count }) => ({ from, rows: count }))
  return { outage, bad, undecided, calls, refused: anyGood ? 0 : refused }
}

/** A prime above any budget, so that each sample is another row. */
const STRIDE = 101

/**
 * Row number i of `count` that lie evenly in the batch, not in their order: what fails often stands together. The first one is in
 * the middle of the left half, so that the half falls into even parts where it runs.
 */
function spread(i: number, count: number, rows: number): number {
  return Math.floor(((((i * STRIDE + (count >> 2)) % count) + 0.5) * rows) / count)
}

function contains({ from, rows }: Range, row: number): boolean {
  return row >= from && row < from + rows
}

/** What is left of a range without one of its rows. */
function beside({ from, rows }: Range, row: number): Range[] {
  const parts = [
    { from, rows: row - from },
    { from: row + 1, rows: from + rows - row - 1 },
  ]
  return parts.filter(part => part.rows > 0)
}
