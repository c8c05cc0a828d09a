/** How verdicts are shown: a table for people, one line of JSON for programs. */
import type { Verdict } from './verdict.ts'

export interface ParityReport {
  readonly cases: number
  readonly same: number
  readonly differentOnPurpose: readonly { readonly case: string; readonly quirk: string; readonly why: string }[]
  readonly failed: readonly { readonly case: string; readonly why: string }[]
}

export function jsonReport(verdicts: readonly Verdict[]): ParityReport {
  return {
    cases: verdicts.length,
    same: count(verdicts, 'same'),
    differentOnPurpose: verdicts
      .filter(({ outcome }) => outcome === 'different on purpose')
      .map(({ case: name, reasons }) => {
        const why = reasons.map((reason, i) => (i === 0 ? reason.why : `${reason.quirk}: ${reason.why}`))
        return { case: name, quirk: reasons[0]!.quirk, why: why.join(' ') }
      }),
    failed: verdicts
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ case: name, why = '' }) => ({ case: name, why })),
  }
}

/** One line for a case, and one for each reason why it differs. */
export function caseLines({ case: name, outcome, reasons, why }: Verdict): string[] {
  if (outcome === 'same') return [`same       ${name}`]
  if (outcome === 'failed') return [`FAILED     ${name}`, `             ${why}`]
  return [`different  ${name}`, ...reasons.map(reason => `             ${reason.quirk}: ${reason.why}`)]
}

export function summaryLine(verdicts: readonly Verdict[]): string {
  const different = count(verdicts, 'different on purpose')
  return `${verdicts.length} cases: ${count(verdicts, 'same')} the same, ${different} different on purpose, ${count(verdicts, 'failed')} failed`
}

function count(verdicts: readonly Verdict[], outcome: Verdict['outcome']): number {
  return verdicts.filter(verdict => verdict.outcome === outcome).length
}
