import { RunInferenceError } from '../errors.ts'
import { type Connected, connect, type TopologyFlags } from './connect.ts'
import { createProgress, type Progress } from './progress.ts'

const INTERRUPTED = 130

/** What a command that reads a cluster works with. */
export interface CommandSession extends Connected {
  /** As the person wrote it, for messages. */
  readonly module: string
  readonly progress: Progress
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** Connects, lets `work` do what the command does, and closes everything. Ctrl-C ends it with exit code 130. */
export async function withSession(
  module: string,
  flags: TopologyFlags,
  work: (session: CommandSession) => Promise<void>,
): Promise<void> {
  const interrupted = new AbortController()
  const { signal } = interrupted
  const interrupt = () => interrupted.abort()
  // Timers of ours do not keep the process alive, and a cluster that does not answer has nothing else.
  const alive = setInterval(() => {}, 60_000)
  const progress = createProgress()
  let connected: Connected | undefined
  try {
    connected = await connect(module, flags)
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
    await work({ ...connected, module, progress, signal })
  } catch (error) {
    // What is under way when Ctrl-C comes says that it was ended.
    if (!signal.aborted) throw error
  } finally {
    clearInterval(alive)
    progress.clear()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await connected?.close()
    if (signal.aborted) process.exitCode = INTERRUPTED
  }
}

/** The search for a broker that does not answer knows no signal: it ends with the connections. */
export function unlessInterrupted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(new RunInferenceError('CLOSED', 'interrupted'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}
