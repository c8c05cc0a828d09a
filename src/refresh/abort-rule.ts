/** When a trial is given up, as a command line says it. */
import type { AbortRule } from './step-models.ts'

const RULE_PARTS = { failures: 'failureFactor', latency: 'latencyFactor', records: 'minRecords' } as const
/** What is not said of an abort rule. */
export const DEFAULT_ABORT: AbortRule = { failureFactor: 2, latencyFactor: 2, minRecords: 1_000 }

/** Of `failures=2,latency=1.5,records=500`. Throws an Error whose message says what was expected. */
export function parseAbortRule(text: string): AbortRule {
  const rule: Record<string, number> = {}
  for (const part of text.split(',')) {
    const [name, value = ''] = part.split('=').map(each => each.trim())
    const field = Object.hasOwn(RULE_PARTS, name!) ? RULE_PARTS[name as keyof typeof RULE_PARTS] : undefined
    const number = value === '' ? Number.NaN : Number(value)
    const isRight = field === 'minRecords' ? Number.isSafeInteger(number) : Number.isFinite(number)
    if (field === undefined || field in rule || !isRight || number <= 0)
      throw new Error('expected failures=<factor>,latency=<factor>,records=<whole number>, or some of them, above 0.')
    rule[field] = number
  }
  return { ...DEFAULT_ABORT, ...rule }
}
