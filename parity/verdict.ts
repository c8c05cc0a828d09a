/** Runs a case and says how it ended: the same, different on purpose, or failed. */
import { CASES } from './cases.ts'
import { differences } from './difference.ts'
import { DIFFERENT_ON_PURPOSE, type Difference } from './different-on-purpose.ts'
import { normalised } from './normalise.ts'
import type { OracleCase } from './oracle-case.ts'

export interface Verdict {
  readonly case: string
  readonly outcome: 'same' | 'different on purpose' | 'failed'
  /** Fields that differ; of a failed case those that nothing explains. */
  readonly fields: readonly string[]
  /** Entries of the table that explain them. */
  readonly reasons: readonly Difference[]
  /** Why it failed. */
  readonly why?: string
  /** What the case gives here. */
  readonly actual?: unknown
}

export async function verdictOf(oracle: OracleCase): Promise<Verdict> {
  const reasons = DIFFERENT_ON_PURPOSE.filter(entry => entry.case === oracle.name)
  const run = CASES[oracle.name]
  if (!run) return { case: oracle.name, outcome: 'failed', fields: [], reasons, why: 'nothing here runs this case' }
  let actual: unknown
  try {
    actual = await run(oracle)
  } catch (error) {
    return { case: oracle.name, outcome: 'failed', fields: [], reasons, why: textOf(error) }
  }
  const fields = differences(normalised(oracle.expected), actual)
  const explained = reasons.flatMap(entry => entry.fields)
  const unexplained = fields.filter(field => !explained.includes(field))
  const vanished = explained.filter(field => !fields.includes(field))
  if (unexplained.length > 0 || vanished.length > 0) {
    const why = [
      ...(unexplained.length > 0 ? [`differs without a reason: ${unexplained.join(', ')}`] : []),
      ...(vanished.length > 0 ? [`equal, but said to differ: ${vanished.join(', ')}`] : []),
    ]
    return { case: oracle.name, outcome: 'failed', fields, reasons, why: why.join('; '), actual }
  }
  return { case: oracle.name, outcome: fields.length === 0 ? 'same' : 'different on purpose', fields, reasons, actual }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
