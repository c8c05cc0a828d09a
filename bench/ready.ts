/** What a `kri run` says of itself over HTTP. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kri } from './kri.ts'

const POLL_MS = 5
const DEADLINE_MS = 60_000

export interface ReadyKri {
  /** On the clock of the log, in milliseconds since 1970. */
  readonly readyAt: number
  /** The sum of a metric over its labels, now; 0 where it has none. */
  metric(name: string): Promise<number>
}

/** Waits for the first 200 of /readyz. Rejects with the log when it ends before, or takes longer than a minute. */
export async function untilReady(kri: Kri): Promise<ReadyKri> {
  const failed = kri.ended.then(() => Promise.reject(new Error(`kri run ended before it was ready:\n${kri.log()}`)))
  return Promise.race([poll(kri), failed])
}

async function poll(kri: Kri): Promise<ReadyKri> {
  const giveUpAt = kri.startedAt + DEADLINE_MS
  while (Date.now() < giveUpAt) {
    const url = /"url":"([^"]+)"/.exec(kri.log())?.[1]
    const response = url === undefined ? undefined : await fetch(new URL('/readyz', url))
    await response?.body?.cancel()
    if (response?.status === 200) return { readyAt: Date.now(), metric: name => metric(new URL('/metrics', url), name) }
    await delay(POLL_MS)
  }
  kri.child.kill('SIGKILL')
  throw new Error(`not ready after ${DEADLINE_MS / 1000} s:\n${kri.log()}`)
}

async function metric(url: URL, name: string): Promise<number> {
  const text = await (await fetch(url)).text()
  const lines = text.split('\n').filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
