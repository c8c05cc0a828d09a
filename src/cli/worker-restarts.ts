/** When a worker process that ended is started again, and when that is given up. */
import type { ErrorCode } from '../errors.ts'

const FIRST_DELAY_MS = 500
/** One that lived so long had got somewhere: its end counts as the first. */
const STEADY_MS = 60_000
const MAX_QUICK_ENDS = 5

export interface WorkerEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it said before, if it could. */
  readonly failure?: { readonly code: ErrorCode; readonly message: string; readonly retriable: boolean }
  readonly livedMs: number
  readonly wasReady: boolean
}

export type Restart = { readonly delayMs: number } | { readonly giveUp: string }

/** Told of every end of one worker; answers what to do next. */
export function createRestarts(): (end: WorkerEnd) => Restart {
  let quickEnds = 0
  return end => {
    // It never worked, and says itself that trying again will not help.
    if (!end.wasReady && end.failure?.retriable === false) return { giveUp: end.failure.message }
    quickEnds = end.livedMs >= STEADY_MS ? 1 : quickEnds + 1
    if (quickEnds >= MAX_QUICK_ENDS)
      return { giveUp: `ended ${quickEnds} times, each within ${STEADY_MS / 1000} s: ${describeEnd(end)}` }
    return { delayMs: FIRST_DELAY_MS * 2 ** (quickEnds - 1) }
  }
}

export function describeEnd({ code, signal, failure }: Pick<WorkerEnd, 'code' | 'signal' | 'failure'>): string {
  if (failure !== undefined) return failure.message
  if (signal === 'SIGKILL') return 'killed (by the system for its memory? by itself, see its last log lines?)'
  return signal === null ? `exit code ${code}` : `ended by ${signal}`
}
