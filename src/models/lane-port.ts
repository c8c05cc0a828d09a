import type { MessagePort } from 'node:worker_threads'
import { RunInferenceError } from '../errors.ts'
import type { LaneHost } from './lane.ts'
import { END_WHEN_IDLE, type FromLane, type ToLane, type ToThread } from './lane-messages.ts'
import { useGate } from './native-gate.ts'

/** The call under way may have waited for a promise that was rejected: for so long nobody says that it did. */
const GRACE_MS = 5_000
/** Handlers may leave timers and connections behind; they do not keep a lane that was closed. */
const LINGER_MS = 500
const WARN_INTERVAL_MS = 60_000

/**
 * Lets a lane's code serve the messages of a port, one by one in order of arrival. A reply has left before the next call
 * begins: whatever that call does to the thread or the process, it is not blamed on the one before. Ends with `close`, and, where
 * nothing else would, with END_WHEN_IDLE.
 */
export function serveInOrder(
  port: MessagePort,
  host: LaneHost,
  send: (reply: FromLane, message: ToLane) => void,
): void {
  let last: Promise<void> = Promise.resolve()
  let serving: ToLane | undefined
  let warnedAtMs = Number.NEGATIVE_INFINITY

  port.on('message', (message: ToThread) => {
    if (message instanceof Int32Array) return useGate(message)
    // Nothing of ours is in native code while messages are read.
    if (message === END_WHEN_IDLE) process.exit(0)
    last = last.then(async () => {
      serving = message
      const reply = await host.serve(message)
      serving = undefined
      send(reply, message)
      if (message.type !== 'close') return
      port.close()
      // Nothing of ours is in native code by now.
      setTimeout(() => process.exit(0), LINGER_MS).unref()
    })
    last.catch(endThread)
  })

  // Left behind by a handler; it may belong to a call that was answered long ago.
  process.on('unhandledRejection', reason => {
    if (performance.now() - warnedAtMs >= WARN_INTERVAL_MS) {
      warnedAtMs = performance.now()
      const what = 'a promise that a handler left behind was rejected (told once a minute)'
      host.warn(RunInferenceError.wrap(reason, 'INFERENCE_FAILED', what).message)
    }
    const call = serving
    if (call) setTimeout(() => serving === call && endThread(reason), GRACE_MS).unref()
  })
}

/** With the error, where no promise takes it. */
function endThread(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
