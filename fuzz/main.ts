/** `npm run fuzz -- --target NAME|all [--executions N] [--first N] [--seed S] [--processes N] [--json]`: hostile input, and what becomes of it. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { casesOf, keep } from './cases.ts'
import { execute } from './execution.ts'
import { type PoolResult, runPool } from './pool.ts'
import { bar, clearLine, reportOf, summaryLines } from './report.ts'
import { sources } from './sources.ts'
import type { TargetSource } from './target.ts'

const MAX_EXECUTIONS = 2 ** 32
const cores = availableParallelism()

const { values: options } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: [] },
    executions: { type: 'string', default: '1000000' },
    first: { type: 'string', default: '0' },
    seed: { type: 'string' },
    processes: { type: 'string', default: String(cores) },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) {
  console.log(`npm run fuzz -- --target NAME|all [--executions N] [--first N] [--seed S] [--processes N] [--json]

Gives hostile input to what reads input from outside, and looks at what becomes of it. A finding is an error that is none
of ours, or has a code that does not fit; a crash, a hang, time or memory out of proportion; a value that is not the one
that was written. Findings are kept in fuzz/corpus/TARGET/, where every npm test replays them. Ends with 1 when there are any,
also of those that were kept before.

${sources.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}

--target     may be repeated
--executions of each target (default 1,000,000)
--first      goes on where another run of the same seed ended (default 0)
--seed       the same number gives the same inputs (default: by chance; it is printed)
--processes  at most the cores of this machine (default ${cores})
--json       one line for each target`)
  process.exit(0)
}

const chosen = options.target.includes('all') ? sources : sources.filter(({ name }) => options.target.includes(name))
const missing = options.target.filter(name => name !== 'all' && !sources.some(source => source.name === name))
const executions = whole('executions', options.executions, MAX_EXECUTIONS)
const first = whole('first', options.first, MAX_EXECUTIONS)
const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', options.seed, 2 ** 32)
const processes = Math.min(whole('processes', options.processes, 1024), cores, executions)
if (missing.length > 0) refuse(`there is no target ${missing.join(', ')}`)
if (chosen.length === 0) refuse('choose a target: --target NAME, or --target all')

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.abort(name))
const onTerminal = process.stderr.isTTY && !options.json
if (!options.json) console.log(`seed ${seed}, ${executions} executions of each target, ${processes} processes`)

let findings = 0
for (const source of chosen) {
  if (interrupted.signal.aborted) break
  const result = await fuzz(source)
  findings += result.findings.length
  const files = result.findings.map(finding => keep(source.name, finding))
  if (options.json) console.log(JSON.stringify(reportOf(source, seed, result, files)))
  else for (const line of summaryLines(source, result, files)) console.log(line)
}
if (interrupted.signal.aborted) {
  console.error(`interrupted by ${interrupted.signal.reason}; the last target did not come to its end`)
  process.exit(130)
}
process.exit(findings > 0 ? 1 : 0)

async function fuzz(source: TargetSource): Promise<PoolResult> {
  const target = await source.open()
  try {
    for (const { name, bytes } of casesOf(source.name)) {
      const { fault } = await execute(target, bytes)
      if (fault === undefined) continue
      findings++
      console.error(`${source.name}: the kept case ${name} still shows ${fault.kind}: ${fault.what}`)
    }
    return await runPool({
      source,
      target,
      seed,
      executions,
      first,
      processes,
      signal: interrupted.signal,
      onProgress: done => onTerminal && process.stderr.write(bar(source.name, done, executions)),
    })
  } finally {
    await target.close?.()
    if (onTerminal) process.stderr.write(clearLine)
  }
}

function whole(name: string, text: string, max: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < (name === 'executions' || name === 'processes' ? 1 : 0) || value > max)
    refuse(`--${name}: expected a whole number up to ${max}, got ${text}`)
  return value
}

function refuse(what: string): never {
  console.error(`${what}; see npm run fuzz -- --help`)
  process.exit(2)
}
