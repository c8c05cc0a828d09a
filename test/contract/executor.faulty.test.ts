import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createFaultyExecutor } from '../../src/testing/faulty-executor.ts'
import { executorContract } from './executor.contract.ts'

// Without faults, the decorator changes nothing.
executorContract('faulty', options =>
  createFaultyExecutor(createInThreadExecutor(options, { logger: silentLogger, clock: systemClock }), {
    clock: systemClock,
  }),
)
