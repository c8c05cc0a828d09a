import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { executorContract } from './executor.contract.ts'
import { executorHandlerLoadingContract } from './executor-handler-loading.contract.ts'
import { executorHandlersContract } from './executor-handlers.contract.ts'
import { executorLoadingContract } from './executor-loading.contract.ts'
import { executorModelsContract } from './executor-models.contract.ts'
import { executorSparesContract } from './executor-spares.contract.ts'

const create: CreateExecutor = options => createInThreadExecutor(options, { logger: silentLogger, clock: systemClock })
executorContract('in-thread', create)
executorLoadingContract('in-thread', create)
executorModelsContract('in-thread', create)
executorSparesContract('in-thread', create)
executorHandlersContract('in-thread', create)
executorHandlerLoadingContract('in-thread', (options, logger) =>
  createInThreadExecutor(options, { logger, clock: systemClock }),
)
