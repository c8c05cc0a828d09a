/**
 * How a process ends when it is told to.
 *
 * 1. The first SIGTERM, SIGINT or SIGHUP drains: `stop` is called once, and has its budget and a little more.
 * 2. The second ends the process at once; so does a drain that outlasts its time. Nothing is committed then: what was in
 *    flight comes again to whoever takes over. A process that is led by another is often told twice, by its leader and by
 *    whoever stops them all (systemd): it goes on draining, and its leader kills it if need be.
 *    The same signal again within a second is the first one once more: Ctrl-C and systemd reach all processes of a group,
 *    and npm and its like pass on what they got besides.
 * 3. Ending at once means SIGKILL to ourselves: a lane may be inside native code, where any other end aborts.
 */
import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'

const ALL: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP']
/** Beyond the budget that `stop` keeps itself: for leaving the group and closing connections. */
export const CLOSING_MS = 5_000

/** One event may send its signal twice, by two ways, but not later than this. */
const ECHO_MS = 1_000

/** `process`, or what stands for it in a test. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

export interface TerminationOptions {
  /** Drains and closes; a rejection is left to whoever started it. */
  readonly stop: (signal: NodeJS.Signals) => Promise<void>
  /** How long `stop` takes at most, by its own account. */
  readonly budgetMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Which to listen for; default: all three. */
  readonly signals?: readonly NodeJS.Signals[]
  /** Default: this process. */
  readonly source?: SignalSource
  /** Another process leads this one and is the one to end it: signals after the first do nothing. Default: false. */
  readonly isLed?: boolean
  /** Ends the process at once; default: SIGKILL. */
  readonly die?: () => void
}

/** Listens for signals until the returned function is called. */
export function onTermination(options: TerminationOptions): () => void {
  const {
    stop,
    budgetMs,
    clock,
    logger,
    signals = ALL,
    source = process,
    isLed = false,
    die = killThisProcess,
  } = options
  const isEcho = createEchoFilter(clock)
  let isStopping = false
  let cancel = () => {}
  const listener = (signal: NodeJS.Signals) => {
    if (isEcho(signal)) return
    if (isStopping) {
      if (isLed) return
      logger.error({ signal }, 'second signal: ending at once, with nothing more committed')
      die()
      return
    }
    isStopping = true
    logger.info({ signal, budgetMs }, 'stopping: what is in flight is finished and committed')
    cancel = clock.after(budgetMs + CLOSING_MS, () => {
      logger.error({ budgetMs }, 'the stop did not end in its time: ending at once, with nothing more committed')
      die()
    })
    const over = () => cancel()
    stop(signal).then(over, over)
  }
  for (const signal of signals) source.on(signal, listener)
  return () => {
    cancel()
    for (const signal of signals) source.off(signal, listener)
  }
}

/** Told of every signal; true for one that says again what the one before has just said. */
export function createEchoFilter(clock: Pick<Clock, 'now'>): (signal: NodeJS.Signals) => boolean {
  let last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  return signal => {
    const at = clock.now()
    if (signal === last?.signal && at - last.at < ECHO_MS) return true
    last = { signal, at }
    return false
  }
}

/** Ends this process without running anything more in it. */
export function killThisProcess(): void {
  process.kill(process.pid, 'SIGKILL')
  // Still here: process 1 of a container is spared its own signals.
  if (isProcessOne()) process.abort()
}

/** Process 1 of a container should be an init: signals that it sends to itself have no effect. */
export function isProcessOne(): boolean {
  return process.pid === 1
}
