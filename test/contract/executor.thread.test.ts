import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { livingOn } from '../support/living-executors.ts'
import { executorContract } from './executor.contract.ts'
import { executorHandlerLoadingContract } from './executor-handler-loading.contract.ts'
import { executorHandlerLossesContract } from './executor-handler-losses.contract.ts'
import { executorHandlersContract } from './executor-handlers.contract.ts'
import { executorLoadingContract } from './executor-loading.contract.ts'
import { executorModelsContract } from './executor-models.contract.ts'
import { executorSparesContract } from './executor-spares.contract.ts'
import { executorSupervisionContract } from './executor-supervision.contract.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random }
const create: CreateExecutor = options => createThreadExecutor(options, parts)
const workerUrl = new URL('../support/crashing-lane-worker.ts', import.meta.url)
const createDeadly: CreateExecutor = options => createThreadExecutor(options, { ...parts, workerUrl })
const living = livingOn(create)
executorContract('thread', living)
executorLoadingContract('thread', create, living)
executorModelsContract('thread', living)
executorSparesContract('thread', create)
executorHandlersContract('thread', create)
executorHandlerLoadingContract('thread', (options, logger) => createThreadExecutor(options, { ...parts, logger }))
executorSupervisionContract('thread', createDeadly, { exit: 'exit code 7', throw: 'nobody catches this' })
executorHandlerLossesContract('thread', create, {
  exit: 'exit code 7',
  'throw where nobody catches': 'nobody catches this',
})
