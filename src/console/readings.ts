import type { Clock } from '../ops/clock.ts'

/** Numbers that were read now and then, to tell how fast they grow. */
export interface Readings {
  add(values: ReadonlyMap<string, number>): void
  /** Of the last reading. */
  latest(): ReadonlyMap<string, number>
  /**
   * By how much a number has grown in the last `overMs`, or since the first reading: from 0 where it was not there before, unless
   * `unknown`. Never negative: what counts anew has grown by nothing. Undefined before the second reading.
   */
  growth(key: string, overMs: number, unknown?: boolean): { readonly by: number; readonly seconds: number } | undefined
  /** The same a second; 0 while it is not known. */
  perSecond(key: string, overMs: number, unknown?: boolean): number
  forget(): void
}

/** `keepMs`: what is older is forgotten. */
export function createReadings(clock: Clock, keepMs: number): Readings {
  let kept: { readonly at: number; readonly values: ReadonlyMap<string, number> }[] = []
  const readings: Readings = {
    add(values) {
      const at = clock.now()
      kept = [...kept.filter(each => at - each.at <= keepMs), { at, values }]
    },
    latest: () => kept.at(-1)?.values ?? new Map(),
    growth(key, overMs, unknown = false) {
      const last = kept.at(-1)
      const first = last && (kept.find(({ at }) => last.at - at <= overMs) ?? last)
      if (first === undefined || first === last) return undefined
      const now = last!.values.get(key) ?? 0
      const before = first.values.get(key) ?? (unknown ? now : 0)
      return { by: Math.max(0, now - before), seconds: (last!.at - first.at) / 1_000 }
    },
    perSecond(key, overMs, unknown) {
      const growth = readings.growth(key, overMs, unknown)
      return growth === undefined || growth.seconds === 0 ? 0 : growth.by / growth.seconds
    },
    forget() {
      kept = []
    },
  }
  return readings
}
