/**
 * `npm run demo`: the main job on a real Kafka and a real schema registry, and whether it held (see --help).
 *
 * Exit codes: 0 everything holds; 1 something does not, or the demo failed; 2 a bad flag; 128 + n after a signal.
 * No process stays behind: what was started is ended in reverse order, also after Ctrl-C, and whatever of the cluster
 * this process cannot end any more (kill -9, a second Ctrl-C) ends with it, through its supervisor.
 */
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { RunInferenceError } from '../src/errors.ts'
import { BadFlag, type DemoFlags, HELP, parseFlags } from './flags.ts'
import { createKeptLog } from './kept-log.ts'
import { lookAround } from './look-around.ts'
import { runMainJob } from './main-job.ts'
import { createScreen } from './screen.ts'
import { holds, jsonOf, textOf } from './summary.ts'

/** How long ending everything may take. */
const CLOSE_BUDGET_MS = 20_000
/** One Ctrl-C can come twice: from the terminal, and passed on by npm or whatever started this. */
const SAME_SIGNAL_MS = 500

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Signal = (typeof SIGNALS)[number]

/** Why the demo is to end before its end: a signal, or the loss of the process that started it. */
class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: Signal) {
    super(`interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  let flags: DemoFlags
  try {
    flags = parseFlags(args)
  } catch (error) {
    if (!(error instanceof BadFlag)) throw error
    process.stderr.write(`${error.message}\nnpm run demo -- --help lists the flags\n`)
    return 2
  }
  if (flags.help) {
    process.stdout.write(HELP)
    return 0
  }
  return demo(flags)
}

async function demo(flags: DemoFlags): Promise<number> {
  const out = flags.json ? process.stderr : process.stdout
  const screen = createScreen(out)
  const { signal, interrupted } = interruption()
  const resources = new AsyncDisposableStack()
  screen.line('Handwritten digits, classified by a consumer group\n')
  const { logger, lines } = createKeptLog()
  const job = runMainJob({ flags, screen, logger, signal, resources })
  try {
    const result = await Promise.race([job, interrupted])
    if (!flags.keep) await close(resources)
    screen.line(textOf(result, flags.records, out))
    if (flags.json) process.stdout.write(`${jsonOf(result)}\n`)
    if (flags.keep) {
      await lookAround(result.parts)
      screen.line('Ending it')
      await close(resources)
    }
    return holds(result, flags.records) ? 0 : 1
  } catch (error) {
    screen.clear()
    screen.line(`\n${describe(error)}`)
    if (!(error instanceof Interrupted)) for (const line of lines) screen.line(line)
    // What the job says after an interruption is of no interest: its parts are being closed.
    job.catch(() => {})
    await close(resources)
    return error instanceof Interrupted ? error.exitCode : 1
  }
}

/** The first signal ends the demo in order, the second at once. */
function interruption(): { readonly signal: AbortSignal; readonly interrupted: Promise<never> } {
  const controller = new AbortController()
  const { promise, reject } = Promise.withResolvers<never>()
  // Nobody waits for it once the job is done.
  promise.catch(() => {})
  let interruptedAtMs = 0
  const interrupt = (name: Signal) => {
    if (controller.signal.aborted) {
      if (performance.now() - interruptedAtMs > SAME_SIGNAL_MS) endAtOnce(`${name} again`)
      return
    }
    interruptedAtMs = performance.now()
    const reason = new Interrupted(name)
    controller.abort(reason)
    reject(reason)
  }
  for (const name of SIGNALS) process.on(name, () => interrupt(name))
  // The process that started this one watches over it through a channel; when it dies, nobody waits for the result.
  process.on('disconnect', () => {
    if (!controller.signal.aborted) interrupt('SIGHUP')
  })
  return { signal: controller.signal, interrupted: promise }
}

/** Ends everything in reverse order. Ending a process in native code of a model aborts it, so that is waited for. */
async function close(resources: AsyncDisposableStack): Promise<void> {
  const late = setTimeout(() => endAtOnce(`still closing after ${CLOSE_BUDGET_MS / 1000} s`), CLOSE_BUDGET_MS)
  try {
    await resources.disposeAsync()
  } finally {
    clearTimeout(late)
  }
}

/** The supervisor of the cluster sees this process go, and ends what it has started. */
function endAtOnce(why: string): never {
  process.stderr.write(`\n${why}: ending at once\n`)
  process.kill(process.pid, 'SIGKILL')
  throw new Error('killed')
}

function describe(error: unknown): string {
  if (error instanceof RunInferenceError || error instanceof Interrupted) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
