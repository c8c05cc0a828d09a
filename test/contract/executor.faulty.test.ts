import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createFaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { executorContract } from './executor.contract.ts'
import { executorSparesContract } from './executor-spares.contract.ts'

// Without faults, the decorator changes nothing.
const create: CreateExecutor = options =>
  createFaultyExecutor(createInThreadExecutor(options, { logger: silentLogger, clock: systemClock }), {
    clock: systemClock,
  })
executorContract('faulty', create)
executorSparesContract('faulty', create)
