import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'

/** What the pipeline told, as tests look at it. */
export interface CountingMetrics extends PipelineMetrics {
  /** `reason rows` of each dispatched batch. */
  readonly batches: readonly string[]
  /** Dropped records by node. */
  readonly drops: Readonly<Record<string, number>>
  /** Elements that were made of records, by topic. */
  readonly children: Readonly<Record<string, number>>
  /** Dead letters by code. */
  readonly letters: Readonly<Record<string, number>>
  /** The most rows of a batch, as it changed. */
  readonly ceilings: readonly number[]
  /** States of breakers, in order. */
  readonly breaker: readonly string[]
  /** The most rows that were in flight at once, and how many are now. */
  readonly mostInFlight: number
  readonly inFlightNow: number
  /** The same in bytes. */
  readonly mostBytesInFlight: number
  readonly bytesInFlightNow: number
  /** Records of lost partitions. */
  readonly lostRecords: number
  readonly clamped: number
  readonly retries: number
  /** Halts and their ends, in order. */
  readonly halts: readonly boolean[]
}

export function countingMetrics(): CountingMetrics {
  const batches: string[] = []
  const drops: Record<string, number> = {}
  const letters: Record<string, number> = {}
  const children: Record<string, number> = {}
  const ceilings: number[] = []
  const breaker: string[] = []
  const halts: boolean[] = []
  const counts = { mostInFlight: 0, inFlightNow: 0, mostBytes: 0, bytesNow: 0, lostRecords: 0, clamped: 0, retries: 0 }
  return {
    ...nullMetrics,
    batches,
    drops,
    letters,
    children,
    ceilings,
    breaker,
    halts,
    get mostInFlight() {
      return counts.mostInFlight
    },
    get inFlightNow() {
      return counts.inFlightNow
    },
    get mostBytesInFlight() {
      return counts.mostBytes
    },
    get bytesInFlightNow() {
      return counts.bytesNow
    },
    get lostRecords() {
      return counts.lostRecords
    },
    get clamped() {
      return counts.clamped
    },
    get retries() {
      return counts.retries
    },
    batchCeiling: (_step, rows) => void ceilings.push(rows),
    batchDispatched: (_step, reason, rows) => void batches.push(`${reason} ${rows}`),
    dropped(node, count) {
      drops[node] = (drops[node] ?? 0) + count
    },
    childrenMade(topic, count) {
      children[topic] = (children[topic] ?? 0) + count
    },
    deadLetters(_stage, _step, code, count) {
      letters[code] = (letters[code] ?? 0) + count
    },
    breakerState: (_step, state) => void breaker.push(state),
    halted: isHalted => void halts.push(isHalted),
    inFlight(rows, bytes) {
      counts.inFlightNow = rows
      counts.mostInFlight = Math.max(counts.mostInFlight, rows)
      counts.bytesNow = bytes
      counts.mostBytes = Math.max(counts.mostBytes, bytes)
    },
    lost(_topic, records) {
      counts.lostRecords += records
    },
    timestampsClamped(count) {
      counts.clamped += count
    },
    retried() {
      counts.retries++
    },
  }
}
