/**
 * Lanes as worker threads. A worker that ends by itself is replaced; one that is inside native code is never ended, since that
 * aborts the process. Against a call that never returns, of a model that is wanted, there is no cure here: watch `busyMs` and let
 * the process kill itself with nothing committed.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Executor, ExecutorOptions, ModelSpec } from './executor.ts'
import { sharedNow } from './lane-clock.ts'
import { createLane } from './lane-handle.ts'
import { executorOf, type LaneGroup } from './lane-pool.ts'
import { besideThis, openThread } from './lane-thread.ts'

export interface ThreadExecutorParts {
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
  /** A lane that was let go may be busy for so long until its thread is ended in the middle of JavaScript; default: always. */
  readonly stuckMs?: number
  /** The worker's entry; default: lane-worker. */
  readonly workerUrl?: URL
}

/** Starts no thread yet: each lane starts its own with its first load. */
export function createThreadExecutor(options: ExecutorOptions, parts: ThreadExecutorParts): Executor {
  return executorOf([threadLanes(options, parts)])
}

export function threadLanes(options: ExecutorOptions, parts: ThreadExecutorParts): LaneGroup {
  const { logger, clock, random, stuckMs = Number.POSITIVE_INFINITY, workerUrl = besideThis('lane-worker') } = parts
  return {
    lanes: options.lanes,
    make({ id, seat, isSpare }) {
      return createLane({
        ...{ id, seat, options, logger, clock, random, stuckMs },
        isolation: 'thread',
        stamp: sharedNow,
        openLink: openThread(workerUrl, `lane-${id}`),
        admit: isSpare ? refuseSpareWebgpuThread : spec => refuseSecondWebgpuThread(spec, options),
      })
    },
  }
}

// Two threads that use webgpu at once crash the process, even while the second only loads.
function refuseSecondWebgpuThread(spec: ModelSpec, { lanes }: ExecutorOptions): void {
  if (lanes === 1 || !spec.providers.includes('webgpu')) return
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${spec.uri} asks for webgpu on ${lanes} lanes; all webgpu sessions of a process must live in one thread. ` +
      "Use isolation 'process' or one lane, or leave webgpu out.",
  )
}

function refuseSpareWebgpuThread(spec: ModelSpec): void {
  if (!spec.providers.includes('webgpu')) return
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${spec.uri} asks for webgpu in a thread, and a second thread, where it would be loaded while another model serves, ` +
      "would crash the process. Use isolation 'process', or start the application again to change the model.",
  )
}
