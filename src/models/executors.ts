import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { joinedEnvVars, setEnvVars } from './env-vars.ts'
import type { Executor, ModelSpec } from './executor.ts'
import { lanesNeeded } from './lane-choice.ts'
import { executorOf } from './lane-pool.ts'
import { processLanes } from './process-executor.ts'
import { threadLanes } from './thread-executor.ts'

export interface ExecutorNeeds {
  /** What will be loaded: decides which kinds of lanes there are. */
  readonly models: readonly Pick<ModelSpec, 'isolation' | 'providers' | 'envVars'>[]
  /** Lanes of each kind that a model on cpu needs; models on a GPU share one. */
  readonly lanes: number
  /** Rows that a slot is first sized for. */
  readonly maxBatchRows: number
}

export interface ExecutorParts {
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
  /** How long a call in a child process may take whose model has no `timeoutMs`, and that of a thread that was let go. */
  readonly stuckMs: number
}

/**
 * Threads for models that ask for threads, child processes for those that ask for processes. Starts nothing yet, but sets the
 * environment variables that models in threads ask for.
 */
export function createExecutor({ models, lanes, maxBatchRows }: ExecutorNeeds, parts: ExecutorParts): Executor {
  const needed = lanesNeeded(models, lanes)
  const inThreads = models.filter(({ isolation }) => isolation === 'thread')
  for (const envVars of joinedEnvVars(inThreads)) setEnvVars(envVars, parts.logger)
  return executorOf([
    threadLanes({ lanes: needed.threads, maxBatchRows }, parts),
    ...needed.processes.map(({ envVars, lanes }) => processLanes({ lanes, maxBatchRows }, { ...parts, envVars })),
  ])
}
