/** Runs a case and says how it ended: the same, different on purpose, or failed. */
import { CASES } from './cases.ts'
import { differences } from './difference.ts'
import { DIFFERENT_ON_PURPOSE, type Difference } from './different-on-purpose.ts'
import { readKept } from './kept.ts'
import { normalised } from './normalise.ts'
import type { OracleCase } from './oracle-case.ts'

export interface Verdict {
  readonly case: string
  readonly outcome: 'same' | 'different on purpose' | 'failed'
  /** Fields that differ from what was recorded. */
  readonly fields: readonly string[]
  /** Entries of the table for this case. */
  readonly reasons: readonly Difference[]
  /** Why it failed. */
  readonly why?: string
  /** What the case gives here. */
  readonly actual?: unknown
}

export async function verdictOf(oracle: OracleCase): Promise<Verdict> {
  const reasons = DIFFERENT_ON_PURPOSE.filter(entry => entry.case === oracle.name)
  const verdict = { case: oracle.name, reasons, fields: [] }
  const run = CASES[oracle.name]
  if (!run) return { ...verdict, outcome: 'failed', why: 'nothing here runs this case' }
  let actual: unknown
  try {
    // As it is kept in a file.
    actual = JSON.parse(JSON.stringify(await run(oracle)))
  } catch (error) {
    return { ...verdict, outcome: 'failed', why: textOf(error) }
  }
  const fields = differences(normalised(oracle.expected), actual)
  const changed = fields.length > 0 ? differences(readKept(oracle.name), actual) : []
  const why = whyNot(fields, reasons, changed)
  if (why !== undefined) return { ...verdict, fields, outcome: 'failed', why, actual }
  return { ...verdict, fields, outcome: fields.length === 0 ? 'same' : 'different on purpose', actual }
}

/**
 * Undefined: exactly the fields differ that the table names, each for one reason, and what the case gives here is what it gave
 * when it was kept (`changed` is empty).
 */
export function whyNot(
  fields: readonly string[],
  reasons: readonly Difference[],
  changed: readonly string[],
): string | undefined {
  const explained = reasons.flatMap(entry => entry.fields.map(field => ({ field, matches: patternOf(field) })))
  const reasonsOf = (field: string) => explained.filter(({ matches }) => matches.test(field)).length
  const unexplained = fields.filter(field => reasonsOf(field) === 0)
  const twice = fields.filter(field => reasonsOf(field) > 1)
  const vanished = explained.filter(({ matches }) => !fields.some(field => matches.test(field)))
  const parts = [
    ...(unexplained.length > 0 ? [`differs without a reason: ${unexplained.join(', ')}`] : []),
    ...(twice.length > 0 ? [`differs for two reasons: ${twice.join(', ')}`] : []),
    ...(vanished.length > 0 ? [`said to differ, but equal: ${vanished.map(({ field }) => field).join(', ')}`] : []),
    ...(changed.length > 0 ? [`what it gives here has changed: ${changed.join(', ') || 'all of it'}`] : []),
  ]
  return parts.length > 0 ? parts.join('; ') : undefined
}

/** `main[*].model_id` is that field of all results. */
function patternOf(field: string): RegExp {
  return new RegExp(`^${field.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
