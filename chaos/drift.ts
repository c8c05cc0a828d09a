/** Whether something that is sampled over a long time stays where it is. Pure. */

export interface Sampled {
  /** Seconds since the begin. */
  readonly at: number
  readonly value: number
}

export interface Drift {
  readonly samples: number
  readonly mean: number
  /** Of the straight line that fits best. */
  readonly perHour: number
  /** What that line gains from the first sample to the last. */
  readonly growth: number
  readonly most: number
}

/** Without what was sampled before `from` seconds, while it warmed up. */
export function driftOf(all: readonly Sampled[], from = 0): Drift {
  const list = all.filter(({ at }) => at >= from)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
  const [meanAt, meanValue] = [mean(list.map(({ at }) => at)), mean(list.map(({ value }) => value))]
  let [above, below] = [0, 0]
  for (const { at, value } of list) {
    above += (at - meanAt) * (value - meanValue)
    below += (at - meanAt) ** 2
  }
  const perSecond = below === 0 ? 0 : above / below
  const span = list.length < 2 ? 0 : list.at(-1)!.at - list[0]!.at
  return {
    samples: list.length,
    mean: meanValue,
    perHour: perSecond * 3_600,
    growth: perSecond * span,
    most: Math.max(...list.map(({ value }) => value), Number.NEGATIVE_INFINITY),
  }
}

/** Flat: the line gains no more than this, or than this share of the mean. */
export function isFlat({ growth, mean }: Drift, limit: { readonly absolute: number; readonly share: number }): boolean {
  return growth <= Math.max(limit.absolute, limit.share * mean)
}
