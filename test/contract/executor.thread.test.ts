import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { executorContract } from './executor.contract.ts'

executorContract('thread', options => createThreadExecutor(options, { logger: silentLogger, clock: systemClock }))
