/** `npm run parity [-- --json] [--only NAME]... [--keep]`: runs what was recorded of Apache Beam through this project, and compares. */
import { parseArgs } from 'node:util'
import { keep } from './kept.ts'
import { readCases } from './oracle-case.ts'
import { caseLines, jsonReport, summaryLine } from './report.ts'
import { type Verdict, verdictOf } from './verdict.ts'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
})

const all = readCases()
const cases = all.filter(({ name }) => options.only.length === 0 || options.only.some(only => name.startsWith(only)))
if (options.help || cases.length === 0) {
  console.log(`npm run parity [-- --json] [--only NAME]... [--keep]

Runs ${all.length} recorded cases of Apache Beam's RunInference on the test driver, and compares field by field.
--only takes the cases whose name begins so. --json prints one line. It ends with 1 when a case fails.
--keep writes what cases that differ give now to parity/here/, where the next run finds it again.
What differs on purpose, and why: docs/beam-parity.md`)
  process.exit(options.help ? 0 : 1)
}

const verdicts: Verdict[] = []
for (const [i, oracle] of cases.entries()) {
  if (!options.json && process.stderr.isTTY)
    process.stderr.write(`\r\x1b[2K${i + 1} of ${cases.length}: ${oracle.name}`)
  const verdict = await verdictOf(oracle)
  if (options.keep && verdict.actual !== undefined) keep(oracle.name, verdict.actual, verdict.fields.length === 0)
  verdicts.push(options.keep ? await verdictOf(oracle) : verdict)
}
if (!options.json && process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
if (options.json) console.log(JSON.stringify(jsonReport(verdicts)))
else {
  for (const line of verdicts.flatMap(caseLines)) console.log(line)
  console.log(summaryLine(verdicts))
}
process.exitCode = verdicts.some(({ outcome }) => outcome === 'failed') ? 1 : 0
