/**
 * Sends snapshots to the pages that listen, as server-sent events.
 *
 * F1. While nobody listens nothing is made, and no timer runs. Who has hung up before it is listened to does not listen.
 * F2. One snapshot is made for all that listen, and the next one begins when the last one is done, also for who comes after all have left.
 * F3. A listener that does not read is dropped when it has `maxBufferedBytes` waiting; others notice nothing.
 * F4. `close` ends all listeners, and nothing runs any more.
 * F5. A source that takes long, or fails, is asked less often (`restMs`).
 */
import type { ServerResponse } from 'node:http'
import { masking } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { ConsoleSnapshot } from './console-api.ts'
import { SECURITY_HEADERS } from './console-guard.ts'
import type { SnapshotSource } from './console-source.ts'
import { restMs } from './rest-ms.ts'

const HEARTBEAT_MS = 15_000
const RETRY_MS = 2_000

export interface SnapshotFeedOptions {
  readonly snapshots: SnapshotSource
  readonly clock: Clock
  /** Default 32. */
  readonly maxListeners?: number
  /** Default 1 MiB. */
  readonly maxBufferedBytes?: number
}

export interface SnapshotFeed {
  /** Takes the response over; false: there are too many already, and it is untouched. One that is closed already is left alone. */
  listen(response: ServerResponse): boolean
  readonly listeners: number
  close(): void
}

export function createSnapshotFeed({
  snapshots,
  clock,
  maxListeners = 32,
  maxBufferedBytes = 2 ** 20,
}: SnapshotFeedOptions): SnapshotFeed {
  const listening = new Set<ServerResponse>()
  let round: AbortController | undefined
  let lastRound = Promise.resolve()
  let last: string | undefined
  let stopHeartbeat = () => {}
  let closed = false

  const sendAll = (text: string) => {
    for (const response of listening) {
      if (response.writableLength > maxBufferedBytes) response.destroy()
      else response.write(text)
    }
  }
  const beat = () => {
    stopHeartbeat = clock.after(HEARTBEAT_MS, () => {
      sendAll(':\n\n')
      beat()
    })
  }
  const run = async (signal: AbortSignal, before: Promise<void>) => {
    await before
    let failures = 0
    while (!signal.aborted) {
      const startedAt = clock.now()
      const { event, isProblem } = await eventOf(snapshots, signal)
      if (signal.aborted) return
      last = event
      sendAll(event)
      failures = isProblem ? failures + 1 : 0
      const { everyMs } = snapshots
      await sleep(clock, Math.max(everyMs, restMs(everyMs, clock.now() - startedAt, failures)), signal)
    }
  }
  const leave = (response: ServerResponse) => {
    if (!listening.delete(response) || listening.size > 0) return
    stopHeartbeat()
    round?.abort()
    round = undefined
    last = undefined
    snapshots.rest()
  }

  return {
    listen(response) {
      if (closed || listening.size >= maxListeners) return false
      // Its `close` has been and will not come again.
      if (response.destroyed) return true
      listening.add(response)
      response.on('close', () => leave(response))
      // A connection that breaks is closed, which is all that there is to do.
      response.on('error', () => {})
      response.writeHead(200, {
        ...SECURITY_HEADERS,
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      response.write(`retry: ${RETRY_MS}\n\n${last ?? ''}`)
      if (round === undefined) {
        round = new AbortController()
        beat()
        lastRound = run(round.signal, lastRound)
      }
      return true
    },
    get listeners() {
      return listening.size
    },
    close() {
      closed = true
      for (const response of [...listening]) {
        leave(response)
        response.end()
      }
    },
  }
}

/** JSON has no line ends of its own, so one line is the whole of it. */
async function eventOf(
  snapshots: SnapshotSource,
  signal: AbortSignal,
): Promise<{ readonly event: string; readonly isProblem: boolean }> {
  try {
    const snapshot: ConsoleSnapshot = await snapshots.take(signal)
    return { event: `event: snapshot\ndata: ${JSON.stringify(snapshot, masking)}\n\n`, isProblem: false }
  } catch (error) {
    // It is shown, and the next round tries again.
    const { code, message } = RunInferenceError.from(error, 'BUG')
    return { event: `event: problem\ndata: ${JSON.stringify({ code, message }, masking)}\n\n`, isProblem: true }
  }
}
