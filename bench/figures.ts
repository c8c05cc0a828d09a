/** What a benchmark says, as one JSON line per figure and as a table for people. */

export interface Figure {
  readonly name: string
  /** Median over the rounds. */
  readonly recordsPerSecond?: number
  /** Slowest and fastest round. */
  readonly range?: readonly [low: number, high: number]
  /** Of what is measured to its limit: the median of the ratios round by round. */
  readonly ratio?: number
  readonly ratioRange?: readonly [low: number, high: number]
  /** Other numbers of this figure, with units in their names. */
  readonly [fact: string]: unknown
  readonly target?: string
  readonly met?: boolean
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function rangeOf(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)]
}

/** Where the median lies with about 95 % certainty, whatever the values are like; the range of them below six. */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const n = sorted.length
  let left = 0
  let chance = 0.5 ** n
  // The median lies below the smallest k values with the chance that a fair coin falls at most k - 1 times of n on one side.
  for (let below = chance; 2 * below <= 0.05; below += chance) {
    left++
    chance = (chance * (n - left + 1)) / left
  }
  const rank = Math.max(0, left - 1)
  return [sorted[rank]!, sorted[n - 1 - rank]!]
}

/** Two digits behind the point for small numbers, none for large ones. */
export function round(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3))
}

/** Records per second over the rounds. */
export function speed(values: readonly number[]): Pick<Figure, 'recordsPerSecond' | 'range'> {
  const [low, high] = rangeOf(values)
  return { recordsPerSecond: round(median(values)), range: [round(low), round(high)] }
}

/** The subject over its limit, round by round, so that what disturbs a round disturbs both. */
export function ratioTo(subject: readonly number[], limit: readonly number[]): Pick<Figure, 'ratio' | 'ratioRange'> {
  const ratios = subject.map((value, i) => value / limit[i]!)
  const [low, high] = rangeOf(ratios)
  return { ratio: round(median(ratios)), ratioRange: [round(low), round(high)] }
}

/** Whether a target holds: `>=` a low bound, or `<=` a high one. */
export function against(
  value: number,
  bound: '>=' | '<=',
  limit: number,
  unit = '',
): Required<Pick<Figure, 'target' | 'met'>> {
  return { target: `${bound} ${limit}${unit}`, met: bound === '>=' ? value >= limit : value <= limit }
}

const SHOWN_APART = new Set(['name', 'recordsPerSecond', 'range', 'ratio', 'ratioRange', 'target', 'met'])

/** Columns: name, records/s, range, ratio, other facts, target. */
export function table(figures: readonly Figure[]): string {
  const number = (value: unknown) => (typeof value === 'number' ? value.toLocaleString('en') : String(value ?? ''))
  const span = (range: readonly number[] | undefined) => (range ? range.map(number).join(' – ') : '')
  const rows = figures.map(figure => [
    figure.name,
    number(figure.recordsPerSecond),
    span(figure.range),
    number(figure.ratio),
    span(figure.ratioRange),
    figure.target === undefined ? '' : `${figure.target} ${figure.met ? 'met' : 'MISSED'}`,
    Object.entries(figure)
      .filter(([name]) => !SHOWN_APART.has(name))
      .map(([name, value]) => `${name} ${number(value)}`)
      .join(', '),
  ])
  const all = [['figure', 'records/s', 'range', 'ratio', 'range', 'target', 'also'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column >= 1 && column <= 4 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  return [line(all[0]!), widths.map(width => '-'.repeat(width)).join('  '), ...all.slice(1).map(line)].join('\n')
}
