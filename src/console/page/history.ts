/** The last minutes of what charts show, kept while the page is open: columns of equal length, the oldest first. */
import type { ConsoleSnapshot } from '../console-api.ts'

export const KEPT_SECONDS = 300
/** Where so much time lies between two snapshots, lines have a gap. */
const GAP_SECONDS = 10

const SERIES = {
  in: s => s.throughput.inPerSecond,
  out: s => s.throughput.outPerSecond,
  failed: s => s.throughput.failedPerSecond,
  lagRecords: s => s.lag.records,
  lagSeconds: s => s.lag.seconds,
  queueP50: s => s.latency?.queue.p50,
  queueP99: s => s.latency?.queue.p99,
  computeP50: s => s.latency?.compute.p50,
  computeP99: s => s.latency?.compute.p99,
} satisfies Readonly<Record<string, (snapshot: ConsoleSnapshot) => number | undefined>>

export type SeriesName = keyof typeof SERIES
const NAMES = Object.keys(SERIES) as SeriesName[]

export interface History {
  add(snapshot: ConsoleSnapshot): void
  /** Seconds since 1970. */
  readonly times: readonly number[]
  /** null: not known then. */
  values(name: SeriesName): readonly (number | null)[]
}

export function createHistory(): History {
  const times: number[] = []
  const columns = new Map<SeriesName, (number | null)[]>(NAMES.map(name => [name, []]))
  const push = (time: number, of: (name: SeriesName) => number | undefined) => {
    times.push(time)
    for (const [name, column] of columns) column.push(of(name) ?? null)
  }
  return {
    times,
    values: name => columns.get(name)!,
    add(snapshot) {
      const time = Date.parse(snapshot.at) / 1000
      const last = times.at(-1)
      // The same one again, or a clock that was put back.
      if (last !== undefined && time <= last) return
      if (last !== undefined && time - last > GAP_SECONDS) push(last + 1, () => undefined)
      push(time, name => SERIES[name](snapshot))
      const old = times.findIndex(each => each >= time - KEPT_SECONDS)
      times.splice(0, old)
      for (const column of columns.values()) column.splice(0, old)
    },
  }
}
