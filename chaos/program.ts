/**
 * The frame of the two programs here: flags, signals, an orderly end. Exit codes: 0 everything held; 1 something did not, or
 * the program failed; 2 a bad flag; 128 + n after a signal. What was started is ended in reverse order, also after Ctrl-C.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BadFlag } from './command-line.ts'

export interface Job {
  readonly signal: AbortSignal
  readonly resources: AsyncDisposableStack
  /** Logs and models; removed at the end, unless something went wrong. */
  readonly folder: string
  /** A line of progress, to standard error. */
  say(text: string): void
}

/** How long ending everything may take. */
const CLOSE_BUDGET_MS = 20_000
/** One Ctrl-C can come twice: from the terminal, and passed on by npm or whatever started this. */
const SAME_SIGNAL_MS = 500

class Interrupted extends Error {}

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Runs `work`, which returns whether everything held; ends the process. */
export async function program<Flags extends { readonly help: boolean }>(
  name: string,
  help: string,
  parse: (args: readonly string[]) => Flags,
  work: (flags: Flags, job: Job) => Promise<boolean>,
): Promise<never> {
  let flags: Flags
  try {
    flags = parse(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof BadFlag)) throw error
    process.stderr.write(`${error.message}\n${name} -- --help lists the flags\n`)
    process.exit(2)
  }
  if (flags.help) {
    process.stdout.write(help)
    process.exit(0)
  }
  process.exit(await run(job => work(flags, job)))
}

async function run(work: (job: Job) => Promise<boolean>): Promise<number> {
  const { signal, interrupted } = interruption()
  const folder = mkdtempSync(join(tmpdir(), 'kri-chaos-'))
  const resources = new AsyncDisposableStack()
  const startedAt = performance.now()
  const say = (text: string) =>
    void process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`)
  const working = work({ signal, resources, folder, say })
  let held = false
  let exitCode = 1
  try {
    held = await Promise.race([working, interrupted])
    exitCode = held ? 0 : 1
  } catch (error) {
    // What the work says after an interruption is of no interest: its parts are being closed.
    working.catch(() => {})
    if (signal.aborted) exitCode = 128 + constants.signals[(signal.reason as Interrupted).message as NodeJS.Signals]
    process.stderr.write(`${signal.aborted ? `interrupted by ${signal.reason.message}` : describe(error)}\n`)
  }
  const late = setTimeout(() => endAtOnce(`still closing after ${CLOSE_BUDGET_MS / 1_000} s`), CLOSE_BUDGET_MS)
  await resources.disposeAsync()
  clearTimeout(late)
  if (held || signal.aborted) rmSync(folder, { recursive: true, force: true })
  else process.stderr.write(`logs of the instances: ${folder}\n`)
  return exitCode
}

/** The first signal ends the work in order, the second at once. */
function interruption(): { readonly signal: AbortSignal; readonly interrupted: Promise<never> } {
  const controller = new AbortController()
  const { promise, reject } = Promise.withResolvers<never>()
  // Nobody waits for it once the work is done.
  promise.catch(() => {})
  let interruptedAtMs = 0
  const interrupt = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (performance.now() - interruptedAtMs > SAME_SIGNAL_MS) endAtOnce(`${name} again`)
      return
    }
    interruptedAtMs = performance.now()
    controller.abort(new Interrupted(name))
    reject(controller.signal.reason)
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt(name))
  // The process that started this one watches over it through a channel; when it dies, nobody waits for the result.
  process.on('disconnect', () => {
    if (!controller.signal.aborted) interrupt('SIGHUP')
  })
  return { signal: controller.signal, interrupted: promise }
}

/** The supervisor of the cluster sees this process go and ends what it has started; instances end with their channel. */
function endAtOnce(why: string): never {
  process.stderr.write(`\n${why}: ending at once\n`)
  process.kill(process.pid, 'SIGKILL')
  throw new Error('killed')
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `\nbecause: ${error.cause.message}` : ''
  return `${error.stack ?? error.message}${cause}`
}
