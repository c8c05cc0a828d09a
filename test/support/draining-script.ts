/** Started by the tests of scripts/bootstrap.mjs: says its process id, drains for a moment when told to, and says so. */
import { systemClock } from '../../src/ops/clock.ts'
import { onTermination } from '../../src/ops/lifecycle.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const DRAIN_MS = 300

onTermination({
  stop: async signal => {
    process.stdout.write(`stopping ${signal}\n`)
    await new Promise(resolve => setTimeout(resolve, DRAIN_MS))
    process.stdout.write('drained\n')
    process.exit(0)
  },
  budgetMs: 10_000,
  clock: systemClock,
  logger: silentLogger,
})
setInterval(() => {}, 1_000)
process.stdout.write(`pid ${process.pid}\n`)
