import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { executorContract } from './executor.contract.ts'

executorContract('in-thread', options => createInThreadExecutor(options, { logger: silentLogger, clock: systemClock }))
