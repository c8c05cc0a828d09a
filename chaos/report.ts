/** What a run came to, and which promises it broke. */
import { FAULT_KINDS, type Fault, type FaultKind } from './faults.ts'
import type { Guarantee, Verdict } from './judge.ts'

export interface RunResult {
  readonly guarantee: Guarantee
  readonly seed: number
  /** Of the part with faults. */
  readonly seconds: number
  readonly rate: number
  /** The most rows that an instance has in flight: what one fault may make it do twice. */
  readonly rowCap: number
  readonly kinds: readonly FaultKind[]
  readonly faults: readonly Fault[]
  /** Ends of instances that nobody had asked for, with the end of their logs. */
  readonly unexpectedExits: readonly string[]
  readonly verdict: Verdict
  /** Records a second that came through both steps; with faults: until all was drained. */
  readonly calmThroughput: number
  readonly faultThroughput: number
}

interface KindSummary {
  readonly count: number
  /** How many of them with rows in flight. */
  readonly inFlight: number
  /** How many with a transaction open. */
  readonly inTransaction: number
  readonly recoverySecondsMax: number
}

/** Runs so long are long enough for so many faults of each kind. */
const LONG_SECONDS = 600
const MIN_IN_FLIGHT = 5
const MIN_IN_TRANSACTION = 3
const MIN_THROUGHPUT_RATIO = 0.3

export function throughputRatio({ calmThroughput, faultThroughput }: RunResult): number {
  return calmThroughput === 0 ? 0 : faultThroughput / calmThroughput
}

export function summariesOf({ kinds, faults }: RunResult): ReadonlyMap<FaultKind, KindSummary> {
  const ofKind = (kind: FaultKind): KindSummary => {
    const those = faults.filter(fault => fault.kind === kind)
    return {
      count: those.length,
      inFlight: those.filter(({ rowsInFlight }) => rowsInFlight > 0).length,
      inTransaction: those.filter(({ openTransactions }) => openTransactions > 0).length,
      recoverySecondsMax: Math.max(0, ...those.map(({ recoverySeconds }) => recoverySeconds)),
    }
  }
  return new Map(FAULT_KINDS.filter(kind => kinds.includes(kind)).map(kind => [kind, ofKind(kind)]))
}

/** In words; none when everything held. */
export function brokenPromises(result: RunResult): readonly string[] {
  const { guarantee, verdict, faults, rowCap, unexpectedExits } = result
  const mostDuplicates = guarantee === 'exactly_once' ? 0 : faults.length * rowCap
  const counts: readonly [count: number, most: number, what: string][] = [
    [verdict.inputLost, 0, 'acknowledged records are not in the input'],
    [verdict.inputDuplicates, 0, 'records are twice in the input'],
    [verdict.lost, 0, 'records are lost'],
    [verdict.duplicates, mostDuplicates, 'outputs came again'],
    [verdict.orderViolations, 0, 'outputs came behind a later one'],
    [verdict.wrongValues, 0, 'outputs are wrong'],
    [verdict.wrongDeadLetters, 0, 'dead letters are wrong'],
    [verdict.undecided, 0, 'partitions have a transaction that nobody has ended'],
    [unexpectedExits.length, 0, 'instances ended by themselves'],
  ]
  const broken = counts
    .filter(([count, most]) => count > most)
    .map(([count, most, what]) => `${count} ${what}, at most ${most} may`)
  if (verdict.produced === 0) broken.push('nothing was produced, so nothing was shown')
  return [...broken, ...tooLittle(result)]
}

function tooLittle(result: RunResult): string[] {
  const problems: string[] = []
  if (result.faults.length > 0 && throughputRatio(result) < MIN_THROUGHPUT_RATIO)
    problems.push(
      `throughput with faults is ${percent(throughputRatio(result))} of that without, at least 30 % are promised`,
    )
  // What a short run shows is told, not judged.
  if (result.seconds < LONG_SECONDS) return problems
  for (const [kind, { inFlight, inTransaction }] of summariesOf(result)) {
    if (inFlight < MIN_IN_FLIGHT)
      problems.push(`${kind}: only ${inFlight} with rows in flight, ${MIN_IN_FLIGHT} are wanted`)
    if (result.guarantee === 'exactly_once' && inTransaction < MIN_IN_TRANSACTION)
      problems.push(`${kind}: only ${inTransaction} with a transaction open, ${MIN_IN_TRANSACTION} are wanted`)
  }
  return problems
}

/** The one object of `--json`. */
export function jsonOf(result: RunResult): Readonly<Record<string, unknown>> {
  const { guarantee, seed, seconds, rate, rowCap, verdict, unexpectedExits } = result
  const { findings, ...counts } = verdict
  const faults = [...summariesOf(result)].map(([kind, summary]) => [
    kind,
    { ...summary, recoverySecondsMax: round(summary.recoverySecondsMax) },
  ])
  return {
    ...counts,
    unexpectedExits: unexpectedExits.length,
    faults: Object.fromEntries(faults),
    recoverySecondsMax: round(Math.max(0, ...result.faults.map(({ recoverySeconds }) => recoverySeconds))),
    throughput: {
      calm: round(result.calmThroughput),
      faults: round(result.faultThroughput),
      ratio: round(throughputRatio(result)),
    },
    ...{ guarantee, seconds, rate, rowCap, seed },
    brokenPromises: brokenPromises(result),
    findings: [...findings, ...unexpectedExits],
  }
}

export function textOf(result: RunResult): string {
  const { guarantee, verdict, seed } = result
  const broken = brokenPromises(result)
  const kinds = [...summariesOf(result)].map(
    ([kind, { count, inFlight, inTransaction, recoverySecondsMax }]) =>
      `  ${kind.padEnd(10)} ${count} times, ${inFlight} with rows in flight, ${inTransaction} with a transaction open; recovered within ${recoverySecondsMax.toFixed(1)} s`,
  )
  return [
    `${guarantee}, seed ${seed}: ${verdict.produced} records, ${verdict.outputs} outputs, ${verdict.deadLetters} dead letters`,
    ...kinds,
    `  lost ${verdict.lost}, duplicates ${verdict.duplicates}, out of order ${verdict.orderViolations}, wrong values ${verdict.wrongValues}, wrong dead letters ${verdict.wrongDeadLetters}`,
    `  ${result.calmThroughput.toFixed(0)} records/s without faults, ${result.faultThroughput.toFixed(0)} with (${percent(throughputRatio(result))})`,
    broken.length === 0 ? '  everything that is promised held' : '  broken:',
    ...broken.map(what => `    ${what}`),
    ...[...verdict.findings, ...result.unexpectedExits].map(finding => `    ${finding}`),
  ].join('\n')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

function round(value: number): number {
  return Number(value.toFixed(2))
}
