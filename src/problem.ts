/** What is wrong, in parts, so that an error's message, the report of `check` and its JSON say the same. */
import { type ErrorCode, RunInferenceError } from './errors.ts'
import { suggestion } from './nearest-name.ts'

export interface Problem {
  /** The place: a file and line, a step and tensor, a topic, a setting. */
  readonly where: string
  readonly what: string
  readonly expected?: string
  readonly got?: string
  /** What to do next. */
  readonly remedy: string
}

/** Options that nothing reads are mistakes: what was meant would silently not hold. `remedies`: for names that are expected. */
export function unknownNames(
  where: string,
  kind: string,
  given: object,
  known: readonly string[],
  remedies: Readonly<Record<string, string>> = {},
): Problem[] {
  return Object.keys(given)
    .filter(name => !known.includes(name))
    .map(name => ({ where, what: `there is no ${kind} "${name}"`, remedy: remedies[name] ?? suggestion(name, known) }))
}

export function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/** One sentence, and a second that says what to do. */
export function problemText({ where, what, expected, got, remedy }: Problem): string {
  const compared = [expected === undefined ? [] : `expected ${expected}`, got === undefined ? [] : `got ${got}`].flat()
  return `${where}: ${[what, ...compared].join(', ')}. ${remedy}`
}

/** A value that is not what it must be; `name` is what the user wrote to give it. */
export function badValue(where: string, name: string, expected: string, got: unknown): Problem {
  return { where, what: `${name} cannot be used`, expected, got: show(got), remedy: `Change ${name}` }
}

/** An error with all problems at once, one a line, and behind them what else helps. */
export function problemsError(
  code: ErrorCode,
  head: string,
  problems: readonly Problem[],
  help: readonly string[] = [],
): RunInferenceError {
  const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`
  const lines = [`${head} ${count}:`, ...problems.map(problem => `  - ${problemText(problem)}`), ...help]
  return new RunInferenceError(code, lines.join('\n'), { problems })
}

/** The problems that an error carries; one made of its message when it carries none. */
export function problemsOf(error: unknown, where: string, remedy: string): readonly Problem[] {
  if (error instanceof RunInferenceError && error.problems.length > 0) return error.problems
  const text = error instanceof Error ? error.message : String(error)
  return [{ where, what: text.replace(/^\[\w+\] /, '').replace(/\.$/, ''), remedy }]
}

/** A value as a person would write it; cut where it is long, and named by its kind where JSON cannot say it. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : typeof value === 'object' ? objectText(value) : String(value)
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`
}

function objectText(value: object | null): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner))
  } catch {
    // It contains itself, or is nested too deep.
    return Object.prototype.toString.call(value)
  }
}
