import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endedProcessorSeconds } from './processor-time.ts'

export interface Outcome {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped, or the error in full. */
  readonly reason?: string
}

/** What one test file came to. */
export interface Suite {
  readonly file: string
  readonly seconds: number
  /** Of processors, by the file and what it started; undefined where the system does not tell. */
  readonly processorSeconds: number | undefined
  readonly outcomes: readonly Outcome[]
  /** What the file printed. */
  readonly output: string
}

export interface RunTestFileOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Passed on to node:test, e.g. `--test-name-pattern=TEXT`. */
  readonly nodeArgs: readonly string[]
  /** The whole file; then it is killed. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const beside = (name: string) => new URL(name, import.meta.url)

/** Runs a test file in a process of its own and reads what it reports. Nothing that it starts outlives it. */
export async function runTestFile(file: string, options: RunTestFileOptions): Promise<Suite> {
  const folder = mkdtempSync(join(tmpdir(), 'kri-test-'))
  const report = join(folder, 'events.ndjson')
  const started = performance.now()
  const args = [
    '--conditions=kri-source',
    `--import=${beside('./end-with-parent.mjs')}`,
    `--test-reporter=${fileURLToPath(beside('./test-events.mjs'))}`,
    `--test-reporter-destination=${report}`,
    ...options.nodeArgs,
    file,
  ]
  // A process group of its own, so that all of it can be killed.
  const child = spawn(process.execPath, args, {
    detached: true,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  let processorSeconds: number | undefined
  child.once('exit', () => {
    processorSeconds = processorSecondsSince()
  })
  const end = await ended(child, options)
  const outcomes = readOutcomes(report)
  rmSync(folder, { recursive: true, force: true })
  const failed = outcomes.some(({ outcome }) => outcome === 'failed')
  // A file that crashes reports nothing of it, and one that ends too early reports too little.
  const broken = end !== 'exit code 0' && !failed ? end : outcomes.length === 0 ? 'it reported no test' : undefined
  if (broken !== undefined) outcomes.push({ name: 'the file as a whole', outcome: 'failed', reason: broken })
  return { file, seconds: (performance.now() - started) / 1000, processorSeconds, outcomes, output }
}

let processorSecondsBefore = endedProcessorSeconds()

/** What has been added to that of all files that have ended: asked for at each end, it is that of the file. */
function processorSecondsSince(): number | undefined {
  const now = endedProcessorSeconds()
  const before = processorSecondsBefore
  processorSecondsBefore = now
  return now === undefined || before === undefined ? undefined : now - before
}

function ended(child: ChildProcess, { timeoutMs, signal }: RunTestFileOptions): Promise<string> {
  return new Promise(resolve => {
    let reason: string | undefined
    const kill = (why: string) => {
      reason = why
      killGroup(child)
    }
    const timer = setTimeout(() => kill(`killed after ${timeoutMs / 1000} s`), timeoutMs)
    const interrupt = () => kill('interrupted')
    signal.addEventListener('abort', interrupt, { once: true })
    child.once('error', error => kill(`could not be run: ${error.message}`))
    child.once('exit', () => killGroup(child))
    child.once('close', (code, killedBy) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', interrupt)
      resolve(reason ?? killedBy ?? `exit code ${code}`)
    })
  })
}

/** The file's process and what it left behind. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody is left in the group, as it should be.
  }
}

function readOutcomes(report: string): Outcome[] {
  try {
    // A killed process may have written half of its last line.
    const lines = readFileSync(report, 'utf8').split('\n').slice(0, -1)
    return lines.map(line => JSON.parse(line) as Outcome)
  } catch {
    return []
  }
}
