/**
 * What a worker process of `kri run --workers` and its parent say to each other. The channel also tells each that the other
 * is gone, however it ended.
 */
import type { ErrorCode } from '../errors.ts'
import type { RunSummary } from '../ops/run-tally.ts'

export type WorkerMessage =
  /** Its health and metrics are served there. */
  | { readonly kind: 'listening'; readonly url: string }
  /** It has joined the group. */
  | { readonly kind: 'ready' }
  /** It ends because of this. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly retriable: boolean }
  /** It has ended in order, with this. */
  | { readonly kind: 'summary'; readonly summary: RunSummary; readonly reachedEnd: boolean }

/** The worker's side. */
export interface WorkerChannel {
  /** Resolves when the message is handed over, so that the process may end. */
  tell(message: WorkerMessage): Promise<void>
  /** Calls when the parent is gone; the worker must not outlive it. */
  onOrphaned(call: () => void): void
}

/** Undefined where there is no parent that listens. */
export function workerChannel(): WorkerChannel | undefined {
  if (process.send === undefined) return undefined
  // The channel alone must not keep the process alive.
  process.channel?.unref()
  return {
    tell: message =>
      new Promise(resolve => {
        // A parent that is gone needs to be told nothing more.
        if (!process.connected) resolve()
        else process.send!(message, () => resolve())
      }),
    onOrphaned(call) {
      if (process.connected) process.once('disconnect', call)
      else call()
    },
  }
}
