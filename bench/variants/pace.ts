/** An open loop's timetable, on the one clock that all processes of a machine share. */
export interface Pace {
  readonly recordsPerSecond: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export function recordsOf({ recordsPerSecond, warmUpSeconds, seconds }: Pace): number {
  return recordsPerSecond * (warmUpSeconds + seconds)
}

export function warmUpRecordsOf({ recordsPerSecond, warmUpSeconds }: Pace): number {
  return recordsPerSecond * warmUpSeconds
}

/** Milliseconds of the machine's monotonic clock. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The value at this share of the sorted values. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
