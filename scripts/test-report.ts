import type { Outcome, Suite } from './run-test-file.ts'

const MOST_SLOWEST = 10

/** One line when a file is done, and everything about what failed in it. */
export function showSuite(suite: Suite): string {
  const failures = suite.outcomes.filter(({ outcome }) => outcome === 'failed')
  const verdict = failures.length > 0 ? 'FAILED' : 'ok    '
  const lines = [`${verdict} ${suite.file}  ${suite.seconds.toFixed(1)} s  ${showCounts(suite.outcomes)}`]
  for (const { name, reason } of failures) lines.push('', `  FAILED: ${name}`, indent(reason ?? ''), '')
  if (failures.length > 0 && suite.output !== '')
    lines.push('  printed by this file:', indent(suite.output.trimEnd()), '')
  return lines.join('\n')
}

/** The table at the end. Its last line is the sum. */
export function showSummary(suites: readonly Suite[], seconds: number): string {
  const width = Math.max(5, ...suites.map(suite => suite.file.length))
  const row = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(width) + cells.map(cell => String(cell).padStart(9)).join('')
  const sorted = suites.toSorted((a, b) => a.file.localeCompare(b.file))
  const lines = [row('suite', ['tests', 'seconds', 'passed', 'failed', 'skipped', 'cpu s'])]
  for (const { file, seconds: spent, processorSeconds, outcomes } of sorted) {
    const { passed, failed, skipped } = count(outcomes)
    const onProcessors = processorSeconds?.toFixed(1) ?? '?'
    lines.push(row(file, [outcomes.length, spent.toFixed(1), passed, failed, skipped, onProcessors]))
  }
  lines.push(...section('skipped, and why:', sorted, 'skipped', ({ name, reason }) => `${name}: ${reason}`))
  lines.push(...section('failed:', sorted, 'failed', ({ name }) => name))
  if (suites.length > MOST_SLOWEST) lines.push('', 'slowest:', ...slowest(suites))
  lines.push('', `${suites.length} suites in ${seconds.toFixed(1)} s`)
  return [...lines, showCounts(suites.flatMap(({ outcomes }) => outcomes))].join('\n')
}

/** What a change of the tests' time begins with. */
function slowest(suites: readonly Suite[]): readonly string[] {
  const sorted = suites.toSorted((a, b) => b.seconds - a.seconds).slice(0, MOST_SLOWEST)
  return sorted.map(({ file, seconds, processorSeconds }) => {
    const ofProcessors = processorSeconds === undefined ? '' : `, ${processorSeconds.toFixed(1)} s of processors`
    return `  ${file}: ${seconds.toFixed(1)} s${ofProcessors}`
  })
}

function section(
  title: string,
  suites: readonly Suite[],
  kind: Outcome['outcome'],
  show: (outcome: Outcome) => string,
): readonly string[] {
  const lines = suites.flatMap(({ file, outcomes }) =>
    outcomes.filter(({ outcome }) => outcome === kind).map(outcome => `  ${file}: ${show(outcome)}`),
  )
  return lines.length === 0 ? [] : ['', title, ...lines]
}

function count(outcomes: readonly Outcome[]): Record<Outcome['outcome'], number> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { outcome } of outcomes) counts[outcome]++
  return counts
}

function showCounts(outcomes: readonly Outcome[]): string {
  const { passed, failed, skipped } = count(outcomes)
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ')
}
