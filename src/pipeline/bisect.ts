/**
 * Finds the rows that make a batch fail, so that a bad row harms only itself (I7).
 *
 * C1. Every row ends in exactly one of: good (its range ran), bad (it failed alone), undecided (the budget was used up).
 * C2. At most 4 × log2(n) extra calls a batch, rounded up; undecided ranges go back to the queue, each with a budget of its own.
 * C3. When no range of the batch ran at all, the control batch decides: it fails = an outage, nothing is bad;
 *     it passes = the rows that failed alone are bad.
 * C4. Without a control verdict, no row is called bad unless another row of the same batch was good.
 * C5. A row is called bad only after it has failed alone twice: once may be a hiccup of the model. For a batch of one the
 *     failure that began the search is the first of the two.
 */
export interface BisectActions<Outputs> {
  run(from: number, rows: number): Promise<Outputs>
  /** Known good input; rejects in an outage. */
  control(): Promise<void>
  /** A range ran; its outputs are valid until the next run. */
  good(from: number, rows: number, outputs: Outputs): void
}

export interface BisectVerdict {
  /** The control batch failed: this error says why, `undecided` holds every row that did not run. */
  readonly outage: unknown
  readonly bad: readonly { readonly row: number; readonly error: unknown }[]
  readonly undecided: readonly { readonly from: number; readonly rows: number }[]
  readonly calls: number
}

/** `isBadInput`: false for errors that say nothing of the rows (a lost lane): they end the search as an outage. */
export async function bisect<Outputs>(
  rows: number,
  firstError: unknown,
  actions: BisectActions<Outputs>,
  isBadInput: (error: unknown) => boolean,
): Promise<BisectVerdict> {
  const budget = Math.max(1, Math.ceil(4 * Math.log2(Math.max(2, rows))))
  const failed: { from: number; rows: number; error: unknown }[] = [{ from: 0, rows, error: firstError }]
  const bad: { row: number; error: unknown }[] = []
  let calls = 0
  let anyGood = false
  let controlPassed = false
  /** How often a row failed alone. */
  const alone = new Map<number, number>(rows === 1 ? [[0, 1]] : [])
  let outage: unknown

  const tryRange = async (from: number, count: number): Promise<void> => {
    calls++
    let outputs: Outputs
    try {
      outputs = await actions.run(from, count)
    } catch (error) {
      if (!isBadInput(error)) outage ??= error
      failed.push({ from, rows: count, error })
      if (count === 1) alone.set(from, (alone.get(from) ?? 0) + 1)
      return
    }
    anyGood = true
    actions.good(from, count, outputs)
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

  // Depth first, left half first; a control batch as soon as both halves of the whole have failed.
  while (failed.length > 0 && outage === undefined) {
    const range = failed.at(-1)!
    if (range.rows === 1 && (anyGood || controlPassed)) {
      const isBad = (alone.get(range.from) ?? 0) > 1
      if (!isBad && calls + 1 > budget) break
      failed.pop()
      if (isBad) bad.push({ row: range.from, error: range.error })
      else await tryRange(range.from, 1)
    } else if (calls + 2 > budget && (anyGood || controlPassed)) {
      break
    } else if (!anyGood && !controlPassed && (range.rows === 1 || calls >= 2)) {
      await runControl()
    } else {
      failed.pop()
      const left = range.rows >> 1
      await tryRange(range.from + left, range.rows - left)
      if (outage === undefined) await tryRange(range.from, left)
      else failed.push({ from: range.from, rows: left, error: range.error })
    }
  }
  return { outage, bad, undecided: failed.map(({ from, rows: count }) => ({ from, rows: count })), calls }
}
