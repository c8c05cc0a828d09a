/**
 * Lanes as worker threads. A worker is never terminated: `close` waits until it has answered and ended by itself, since
 * ending a thread, or the process, inside native code aborts the process. Against a call that never ends there is no cure
 * here: watch `busyMs` and let the process kill itself with nothing committed.
 */
import { Worker } from 'node:worker_threads'
import './no-telemetry.ts'
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Executor, ExecutorOptions, Lane, ModelSpec } from './executor.ts'
import type { LinkEvents, OpenLink } from './lane-calls.ts'
import { sharedNow } from './lane-clock.ts'
import { createLane } from './lane-handle.ts'
import type { FromLane } from './lane-messages.ts'

export interface ThreadExecutorParts {
  readonly logger: Logger
  readonly clock: Clock
  /** The worker's entry; default: lane-worker beside this file, as TypeScript or as built. */
  readonly workerUrl?: URL
}

/** Starts no thread yet: each lane starts its own with its first load. */
export function createThreadExecutor(options: ExecutorOptions, parts: ThreadExecutorParts): Executor {
  const { logger, clock, workerUrl = defaultWorkerUrl() } = parts
  const listeners: ((lane: Lane, reason: RunInferenceError) => void)[] = []
  const lanes = Array.from({ length: options.lanes }, (_, id) =>
    createLane({
      id,
      isolation: 'thread',
      options,
      logger,
      clock,
      stamp: sharedNow,
      openLink: openWorker(workerUrl, id),
      admit: spec => refuseSecondWebgpuThread(spec, options),
      onLost(lane, reason) {
        for (const listener of listeners) listener(lane, reason)
      },
    }),
  )
  return {
    lanes,
    onLaneLost: listener => void listeners.push(listener),
    close: async () => void (await Promise.all(lanes.map(lane => lane.close()))),
  }
}

// This file runs as TypeScript from source and as JavaScript when built, and so does its neighbour.
function defaultWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './lane-worker.ts' : './lane-worker.js', import.meta.url)
}

// Two threads that use webgpu at once crash the process, even while the second only loads.
function refuseSecondWebgpuThread(spec: ModelSpec, { lanes }: ExecutorOptions): void {
  if (lanes === 1 || !spec.providers.includes('webgpu')) return
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${spec.uri} asks for webgpu on ${lanes} lanes; all webgpu sessions of a process must live in one thread. ` +
      'Use one lane, or leave webgpu out.',
  )
}

function openWorker(url: URL, id: number): OpenLink {
  return (events: LinkEvents) => {
    const worker = new Worker(url, { name: `lane-${id}` })
    let closeCall: number | undefined
    let closed = false
    let cause: unknown
    const ended = new Promise<void>(resolve => {
      worker.on('error', error => {
        // 'exit' follows and reports the loss, with this as its cause.
        cause = error
      })
      worker.on('exit', code => {
        resolve()
        if (!closed) events.lost(lostWorker(id, code, cause))
      })
    })
    worker.on('message', (reply: FromLane) => {
      closed ||= reply.call === closeCall
      events.reply(reply)
    })
    worker.on('messageerror', error => {
      cause = error
    })
    return {
      ended,
      post(message) {
        if (message.type === 'close') closeCall = message.call
        worker.postMessage(message)
      },
    }
  }
}

function lostWorker(id: number, exitCode: number, cause: unknown): RunInferenceError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new RunInferenceError(
    'LANE_LOST',
    `the worker thread of lane ${id} ended by itself with exit code ${exitCode}${why}. ` +
      'Its rows stay queued; the next load starts a fresh worker.',
    cause === undefined ? {} : { cause },
  )
}
