/** Two that differ in one thing, run as processes in pairs: ABBA, the ratio of each pair, the median of the ratios. */
import { isDisturbed, whenQuiet } from './conditions.ts'
import { type Figure, median, medianInterval, round } from './figures.ts'
import { pair } from './pair.ts'
import type { Measured } from './variants/timed-port.ts'

const PATIENCE_MS = 1_500
export const PAIRS = { quick: 2, full: 10 } as const

export interface PairedOrder {
  readonly name: string
  readonly rounds: number
  readonly say: (line: string) => void
  /** Runs the subject, and what it is held against. */
  readonly subject: (round: number) => Promise<Measured>
  readonly against: (round: number) => Promise<Measured>
}

/** Speed and processor time of the subject over those of the other, both with the interval of the median. */
export interface Paired extends Figure {
  /** µs of processor time a record, of the whole process. */
  readonly cpuMicrosPerRecord: number
  readonly againstCpuMicrosPerRecord: number
  readonly cpuRatio: number
  /** µs a record that the subject takes longer. */
  readonly moreCpuMicros: number
}

export async function runPairs({ name, rounds, say, subject, against }: PairedOrder): Promise<Paired> {
  const subjects: Measured[] = []
  const others: Measured[] = []
  let disturbed = 0
  const quietly = async (run: () => Promise<Measured>) => {
    if (isDisturbed(await whenQuiet(PATIENCE_MS))) disturbed++
    return run()
  }
  // Whoever comes first pays for what the broker compiles.
  await against(-1)
  for (let i = 0; i < rounds; i++) {
    const [a, b] = await pair(
      i,
      () => quietly(() => subject(i)),
      () => quietly(() => against(i)),
    )
    subjects.push(a)
    others.push(b)
    const speeds = [a, b].map(run => round(speedOf(run))).join(' against ')
    say(`${name} pair ${i + 1}/${rounds}: ${speeds} records/s, cpu ${round(cpuOf(a) / cpuOf(b))}`)
  }
  const speeds = subjects.map(speedOf)
  const ratios = subjects.map((run, i) => speedOf(run) / speedOf(others[i]!))
  const cpuRatios = subjects.map((run, i) => cpuOf(run) / cpuOf(others[i]!))
  const more = subjects.map((run, i) => cpuOf(run) - cpuOf(others[i]!))
  return {
    name,
    recordsPerSecond: round(median(speeds)),
    range: interval(speeds),
    ratio: round(median(ratios)),
    ratioRange: interval(ratios),
    cpuRatio: round(median(cpuRatios)),
    cpuRatioInterval: interval(cpuRatios).join(' – '),
    cpuMicrosPerRecord: round(median(subjects.map(cpuOf))),
    againstCpuMicrosPerRecord: round(median(others.map(cpuOf))),
    moreCpuMicros: round(median(more)),
    moreCpuMicrosInterval: interval(more).join(' – '),
    records: Math.round(median(subjects.map(run => run.records))),
    pairs: rounds,
    disturbed,
  }
}

function speedOf({ records, seconds }: Measured): number {
  return records / seconds
}

/** µs of processor time a record. */
function cpuOf({ records, cpuSeconds }: Measured): number {
  return (cpuSeconds * 1e6) / records
}

function interval(values: readonly number[]): readonly [number, number] {
  const [low, high] = medianInterval(values)
  return [round(low), round(high)]
}
