/** Commands in this process: for suites that run many of them, which need not wait for as many processes to start. */
import { main } from '../../src/cli/command-line.ts'
import type { KriOutput } from './kri-output.ts'

let last: Promise<unknown> = Promise.resolve()

/** Runs a command to its end, one after the other: what it prints goes through the console, its exit code through the process. */
export function kriInProcess(words: readonly string[]): Promise<KriOutput> {
  const running = last.then(() => run(words))
  last = running.catch(() => {})
  return running
}

async function run(words: readonly string[]): Promise<KriOutput> {
  const { log, error } = console
  const write = process.stderr.write
  const codeBefore = process.exitCode
  const [stdout, stderr]: [string[], string[]] = [[], []]
  console.log = (text: string) => stdout.push(`${text}\n`)
  console.error = (text: string) => stderr.push(`${text}\n`)
  process.stderr.write = ((text: string) => stderr.push(text) > 0) as typeof write
  process.exitCode = 0
  try {
    await main(words)
    return { code: Number(process.exitCode), stdout: stdout.join(''), stderr: stderr.join('') }
  } finally {
    Object.assign(console, { log, error })
    process.stderr.write = write
    process.exitCode = codeBefore
  }
}
