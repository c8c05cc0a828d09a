/**
 * Lanes as child processes: what a thread cannot have, an end. A child that crashes, or takes longer than it may, is replaced,
 * and the application goes on. Batches travel over pipes, which costs a copy on each side.
 */
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { EnvVars } from './env-vars.ts'
import type { Executor, ExecutorOptions } from './executor.ts'
import { sharedNow } from './lane-clock.ts'
import { createLane } from './lane-handle.ts'
import { executorOf, type LaneGroup } from './lane-pool.ts'
import { openChild } from './lane-process.ts'

export interface ProcessExecutorParts {
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
  /** How long a call may take whose model has no `timeoutMs`. */
  readonly stuckMs: number
  /** Arguments for Node; default: those of this process that concern how modules are loaded and run. */
  readonly execArgv?: readonly string[]
  /** What their environment has beside ours; default: nothing. */
  readonly envVars?: EnvVars
}

/** Starts no process yet: each lane starts its own with its first load. */
export function createProcessExecutor(options: ExecutorOptions, parts: ProcessExecutorParts): Executor {
  return executorOf([processLanes(options, parts)])
}

export function processLanes(options: ExecutorOptions, parts: ProcessExecutorParts): LaneGroup {
  const { execArgv = ownArguments(), envVars = {}, ...rest } = parts
  const { logger, clock } = parts
  return {
    lanes: options.lanes,
    make({ id, seat }) {
      const openLink = openChild({ lane: id, logger, clock, execArgv, envVars })
      return createLane({ id, seat, isolation: 'process', envVars, options, stamp: sharedNow, openLink, ...rest })
    },
  }
}

// A child must not listen on the debugger's port, run the tests again, or read the parent's script.
function ownArguments(): string[] {
  const own = process.execArgv
  return own.filter((argument, index) => {
    const before = own[index - 1]
    if (/^--(inspect|test|watch)/.test(argument)) return false
    // The value of such an option may stand apart.
    if (/^--(inspect|test|watch)[^=]*$/.test(before ?? '') && !argument.startsWith('-')) return false
    return !isScript(argument) && !isScript(before)
  })
}

function isScript(argument: string | undefined): boolean {
  return argument !== undefined && ['-e', '--eval', '-p', '--print', '-pe'].includes(argument)
}
