import type { Clock } from './clock.ts'

/** Numbers that were read now and then, to tell how fast they grow. */
export interface Readings {
  add(values: ReadonlyMap<string, number>): void
  /** Of the last reading. */
  latest(): ReadonlyMap<string, number>
  /**
   * The time between the last reading and the first one of the last `overMs`, or the one before it where all others are older;
   * undefined before the second reading.
   */
  seconds(overMs: number): number | undefined
  /**
   * By how much a number has grown in that time: from 0 where it was not there before. Where it may be `unknown` only readings
   * count that have it. Never negative: what counts anew has grown by nothing. Undefined before the second reading.
   */
  growth(key: string, overMs: number, unknown?: boolean): { readonly by: number; readonly seconds: number } | undefined
  /** The same a second. */
  perSecond(key: string, overMs: number, unknown?: boolean): number | undefined
  forget(): void
}

interface Reading {
  readonly at: number
  readonly values: ReadonlyMap<string, number>
}

/** `keepMs`: what is older is forgotten, but for the reading before the last. */
export function createReadings(clock: Clock, keepMs: number): Readings {
  let kept: Reading[] = []
  /** The last reading, and the first one before it that is not too old. */
  const ends = (overMs: number, has: (reading: Reading) => boolean = () => true) => {
    const last = kept.at(-1)
    if (last === undefined || !has(last)) return undefined
    const before = kept.filter(each => each.at < last.at && has(each))
    const first = before.find(({ at }) => last.at - at <= overMs) ?? before.at(-1)
    return first && { first, last, seconds: (last.at - first.at) / 1_000 }
  }
  const readings: Readings = {
    add(values) {
      const at = clock.now()
      kept = [...kept.filter((each, i) => at - each.at <= keepMs || i === kept.length - 1), { at, values }]
    },
    latest: () => kept.at(-1)?.values ?? new Map(),
    seconds: overMs => ends(overMs)?.seconds,
    growth(key, overMs, unknown = false) {
      const found = ends(overMs, unknown ? ({ values }) => values.has(key) : undefined)
      if (found === undefined) return undefined
      const { first, last, seconds } = found
      return { by: Math.max(0, (last.values.get(key) ?? 0) - (first.values.get(key) ?? 0)), seconds }
    },
    perSecond(key, overMs, unknown) {
      const growth = readings.growth(key, overMs, unknown)
      return growth && growth.by / growth.seconds
    },
    forget() {
      kept = []
    },
  }
  return readings
}
