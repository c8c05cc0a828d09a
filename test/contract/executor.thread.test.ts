import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { executorContract } from './executor.contract.ts'
import { executorLoadingContract } from './executor-loading.contract.ts'
import { executorModelsContract } from './executor-models.contract.ts'

const create: CreateExecutor = options =>
  createThreadExecutor(options, { logger: silentLogger, clock: systemClock, random: Math.random })
executorContract('thread', create)
executorLoadingContract('thread', create)
executorModelsContract('thread', create)
