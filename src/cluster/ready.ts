import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { cannotStart } from './java.ts'

const POLL_MS = 50
const LOG_TAIL_LINES = 20

export interface ReadyWatch {
  readonly name: string
  readonly logFile: string
  readonly deadlineMs: number
  /** How the process ended, if it did. */
  readonly ended: () => string | undefined
}

/** Bytes in the log so far: where to look from after the next start. */
export function logLength(logFile: string): number {
  return statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
}

/** Resolves when the log, from byte `from` on, has this text. */
export function untilLogged(text: string, from: number, watch: ReadyWatch): Promise<void> {
  return until(async () => logFrom(watch.logFile, from).includes(text), watch)
}

/** Resolves when a GET of the URL is answered with 200. */
export function untilAnswered(url: string, watch: ReadyWatch): Promise<void> {
  return until(async () => {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) })
      await answer.arrayBuffer()
      return answer.ok
    } catch {
      return false
    }
  }, watch)
}

async function until(condition: () => Promise<boolean>, watch: ReadyWatch): Promise<void> {
  const deadline = performance.now() + watch.deadlineMs
  while (!(await condition())) {
    const ended = watch.ended()
    const late = performance.now() > deadline
    if (ended !== undefined || late) {
      const what =
        ended === undefined ? `was not ready after ${watch.deadlineMs} ms` : `ended while starting (${ended})`
      const tail = logFrom(watch.logFile, 0).trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
      throw cannotStart(`${watch.name} ${what}. The end of its log, ${watch.logFile}:\n${tail}\n`)
    }
    await delay(POLL_MS)
  }
}

function logFrom(logFile: string, from: number): string {
  if (from === 0) return statSync(logFile, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(logFile, 'utf8')
  const length = Math.max(0, logLength(logFile) - from)
  const bytes = Buffer.alloc(length)
  const file = openSync(logFile, 'r')
  readSync(file, bytes, 0, length, from)
  closeSync(file)
  return bytes.toString('utf8')
}
