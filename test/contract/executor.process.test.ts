import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { executorContract } from './executor.contract.ts'
import { executorLoadingContract } from './executor-loading.contract.ts'
import { executorModelsContract } from './executor-models.contract.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
const create: CreateExecutor = options => createProcessExecutor(options, parts)
executorContract('process', create)
executorLoadingContract('process', create)
executorModelsContract('process', create)
