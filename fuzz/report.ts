import type { PoolResult } from './pool.ts'
import type { TargetSource } from './target.ts'

export const clearLine = '\r\x1b[2K'
const BAR_WIDTH = 30

/** A line that is written again and again. */
export function bar(name: string, done: number, of: number): string {
  const filled = Math.round((done / of) * BAR_WIDTH)
  const drawn = `${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}`
  return `${clearLine}${name.padEnd(16)} [${drawn}] ${((100 * done) / of).toFixed(1)} % of ${of}`
}

/** What `--json` prints of a target. */
export function reportOf(
  { name }: TargetSource,
  seed: number,
  result: PoolResult,
  files: readonly (string | undefined)[],
) {
  const { executions, seconds, taken, refused, findings } = result
  return {
    target: name,
    seed,
    executions,
    seconds: Number(seconds.toFixed(1)),
    executionsPerSecond: perSecond(result),
    taken,
    refused,
    findings: findings.map(({ fault, index, bytes }, i) => ({ ...fault, index, bytes: bytes.length, file: files[i] })),
  }
}

export function summaryLines(
  { name }: TargetSource,
  result: PoolResult,
  files: readonly (string | undefined)[],
): readonly string[] {
  const { executions, taken, refused, findings } = result
  const share = (count: number) => `${((100 * count) / Math.max(1, executions)).toFixed(1)} %`
  const codes = Object.entries(refused).map(([code, count]) => `${code} ${share(count)}`)
  return [
    `${name}: ${executions} executions, ${perSecond(result)}/s, ${findings.length} findings (taken ${share(taken)}${codes.map(code => `, ${code}`).join('')})`,
    ...findings.map(({ fault, index, bytes }, i) => {
      const where = files[i] ?? `not kept, ${bytes.length} bytes`
      return `  ${fault.kind} at ${index}: ${fault.what} (${where})`
    }),
  ]
}

function perSecond({ executions, seconds }: PoolResult): number {
  return Math.round(executions / Math.max(seconds, 0.001))
}
