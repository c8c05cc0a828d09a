import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { DEADLY_ARGUMENTS } from '../support/deadly-child.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { livingOn } from '../support/living-executors.ts'
import { executorContract } from './executor.contract.ts'
import { executorHandlerLoadingContract } from './executor-handler-loading.contract.ts'
import { executorHandlerLossesContract, executorHandlerTimeoutContract } from './executor-handler-losses.contract.ts'
import { executorHandlersContract } from './executor-handlers.contract.ts'
import { executorLoadingContract } from './executor-loading.contract.ts'
import { executorModelsContract } from './executor-models.contract.ts'
import { executorSparesContract } from './executor-spares.contract.ts'
import { executorSupervisionContract } from './executor-supervision.contract.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
const create: CreateExecutor = options => createProcessExecutor(options, parts)
const createDeadly: CreateExecutor = options => createProcessExecutor(options, { ...parts, execArgv: DEADLY_ARGUMENTS })
const living = livingOn(create)
executorContract('process', living)
executorLoadingContract('process', create, living)
executorModelsContract('process', living)
executorSparesContract('process', create)
executorHandlersContract('process', create)
executorHandlerLoadingContract('process', (options, logger) => createProcessExecutor(options, { ...parts, logger }))
executorSupervisionContract('process', createDeadly, {
  kill: 'was ended by SIGKILL; it last printed: this is no frame\nnative code: about to fall over',
  exit: 'exit code 7',
  throw: 'nobody catches this',
  device: 'the device was lost: WebGPU device lost (1): the driver was reset',
})
executorHandlerLossesContract('process', create, {
  exit: 'exit code 7',
  'throw where nobody catches': 'nobody catches this',
  'end with words': 'was ended by SIGKILL; it last printed: native code: about to fall over',
})
executorHandlerTimeoutContract('process', create)
