/** A host of lane code in a worker thread. It is never ended inside native code: that aborts the process. */
import { Worker } from 'node:worker_threads'
import './no-telemetry.ts'
import type { OpenLink } from './lane-link.ts'
import { END_WHEN_IDLE, type FromLane } from './lane-messages.ts'
import { closeGate, makeGate } from './native-gate.ts'
import type { Regions } from './slots.ts'

/** Starts this entry (lane-worker, or one like it) in a thread of its own. */
export function openThread(entry: URL, name: string): OpenLink {
  return events => {
    const gate = makeGate()
    const worker = new Worker(entry, { name })
    worker.postMessage(gate)
    const told: (Regions | undefined)[] = []
    let cause: unknown
    // What a thread says that is ended in the middle of JavaScript is no answer: modules are half there, for one thing.
    let isEnding = false
    worker.on('message', (reply: FromLane) => isEnding || events.reply(reply))
    // 'exit' follows, and tells.
    worker.on('error', error => {
      cause = error
    })
    worker.on('messageerror', error => {
      cause = error
    })
    worker.on('exit', code => {
      const why = cause instanceof Error ? `: ${cause.message}` : ''
      events.ended(`its thread ended with exit code ${code}${why}`)
    })
    return {
      post(message) {
        if (message.type !== 'run' || message.regions !== told[message.slot]) worker.postMessage(message)
        else worker.postMessage({ ...message, regions: undefined })
        if (message.type === 'run') told[message.slot] = message.regions
      },
      end(where) {
        worker.postMessage(END_WHEN_IDLE)
        if (where === 'idle') return
        if (!closeGate(gate)) return
        isEnding = true
        void worker.terminate()
      },
      forsake: () => worker.unref(),
    }
  }
}

/** A file beside this one; all of them run as TypeScript from source and as JavaScript when built. */
export function besideThis(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
}
