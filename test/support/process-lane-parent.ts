/** A process with a lane in a child process that is inside native code, for ever: says their ids, and waits to be killed. */
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { DEADLY_ARGUMENTS } from './deadly-child.ts'
import { DEADLY } from './deadly-sessions.ts'
import { digitsSpec, fill } from './model-specs.ts'

const logger = { ...silentLogger, info: (fields: object) => process.stdout.write(`${JSON.stringify(fields)}\n`) }
const parts = { logger, clock: systemClock, random: Math.random, stuckMs: 600_000, execArgv: DEADLY_ARGUMENTS }
const executor = createProcessExecutor({ lanes: 1, maxBatchRows: 4 }, parts)
const model = await executor.lanes[0]!.load(digitsSpec())
if (process.argv[2] === 'busy') {
  const slot = model.acquire()!
  fill(slot, [[DEADLY.hang, ...Array<number>(63).fill(0)]])
  void slot.run(0, 1)
}
process.stdout.write('"loaded"\n')
setInterval(() => {}, 60_000)
